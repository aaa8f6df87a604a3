"""Objects that come and go: an order book, a syntax tree and closures. Run with PYTHONMALLOC=malloc,
so that every object is a block of the allocator's."""
import heapq
import random


class Order:
    __slots__ = ("key", "price", "lines", "next")

    def __init__(self, key, price):
        self.key = key
        self.price = price
        self.lines = [(key, i) for i in range(price % 7)]
        self.next = None


class Expression:
    def __init__(self, left, right):
        self.left = left
        self.right = right

    def value(self):
        left = self.left.value() if isinstance(self.left, Expression) else self.left
        right = self.right.value() if isinstance(self.right, Expression) else self.right
        return (left * 3 + right) % 1000003


def book(dice, rounds):
    orders, queue, total = {}, [], 0
    for key in range(rounds):
        order = Order(key, dice.randrange(1000))
        orders[key] = order
        heapq.heappush(queue, (order.price, key))
        if len(orders) > 20000:
            price, oldest = heapq.heappop(queue)
            total += price + len(orders.pop(oldest).lines)
    return total


def tree(dice, depth):
    if depth == 0:
        return dice.randrange(1000)
    return Expression(tree(dice, depth - 1), tree(dice, depth - 1))


def closures(rounds):
    functions = [lambda x, i=i: x + i for i in range(1000)]
    total = 0
    for i in range(rounds):
        functions[i % 1000] = lambda x, i=i: x ^ i
        total += functions[(i * 7) % 1000](float(i) != i)
    return total


dice = random.Random(1)
print(book(dice, 150000), sum(tree(dice, 12).value() for _ in range(16)), closures(300000))
