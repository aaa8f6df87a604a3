// A program that fills what it asks for, and then has a large table of which it touches one byte in
// 2 MiB: what becomes resident must be in proportion to the program, not to the table.
#include "probe.h"

enum { kBlocks = 32, kTableMiB = 1024 };

static size_t touch_table(char* table) {
  EXPECT(table != NULL);
  const size_t before = rss_bytes();
  for (size_t at = 0; at < kTableMiB * MIB; at += 2 * MIB) table[at] = 1;
  return rss_bytes() - before;
}

int main(void) {
  static char* blocks[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[i] = malloc(MIB);
    EXPECT(blocks[i] != NULL);
    memset(blocks[i], (int)i, MIB);
  }
  // 2 MiB are touched: an eighth of what the blocks have may come with them.
  EXPECT_NUMBERS(touch_table(calloc(kTableMiB, MIB)), <=, 8 * MIB);
  EXPECT_NUMBERS(touch_table(malloc(kTableMiB * MIB)), <=, 8 * MIB);
  return ok();
}
