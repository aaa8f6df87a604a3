"""Random programs beside a model. For hours of it:
    build/dev/tests/preload/programs/model --seconds 3600 --threads 8 --seed 17      (with LD_PRELOAD)
"""
from harness import PreloadTest, fails_on


class Model(PreloadTest):
    @fails_on(mimalloc="not always aligned")
    def test_one_thread(self):
        self.check("model", "--seconds", "3", "--seed", "1")

    @fails_on(mimalloc="not always aligned")
    def test_one_thread_large_blocks(self):
        self.check("model", "--seconds", "2", "--seed", "2", "--bits", "25")

    @fails_on(mimalloc="not always aligned")
    def test_threads(self):
        self.check("model", "--seconds", "4", "--seed", "3", "--threads", "4")

    @fails_on(mimalloc="not always aligned")
    def test_many_threads(self):
        self.check("model", "--seconds", "3", "--seed", "4", "--threads", "64")
