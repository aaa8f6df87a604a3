// trees perfect|search COUNT: trees of nodes that are allocated one by one.
//   perfect  many short-lived trees built and torn down, beside one large that lives on
//   search   one search tree (a treap) with keys inserted, looked up and deleted at random
#include "work.h"

enum { kLongLivedDepth = 18, kDepthLow = 4, kDepthHigh = 14, kKeys = 1 << 20 };

typedef struct Node {
  struct Node* left;
  struct Node* right;
  uint32_t key;
  uint32_t priority;
} Node;

static Node* node_new(uint32_t key, uint32_t priority) {
  Node* node = malloc(sizeof *node);
  if (node == NULL) fail("malloc returned NULL");
  *node = (Node){NULL, NULL, key, priority};
  return node;
}

static Node* build(int depth, uint32_t key) {
  Node* node = node_new(key, 0);
  if (depth > 0) {
    node->left = build(depth - 1, 2 * key);
    node->right = build(depth - 1, 2 * key + 1);
  }
  return node;
}

static uint64_t tear_down(Node* node) {
  if (node == NULL) return 0;
  const uint64_t sum = tear_down(node->left) * 3 + tear_down(node->right) * 5 + node->key;
  free(node);
  return sum;
}

static uint64_t run_perfect(long count) {
  Node* long_lived = build(kLongLivedDepth, 1);
  uint64_t sum = 0;
  for (int depth = kDepthLow; depth <= kDepthHigh; depth += 2) {
    const long trees = count >> depth;
    for (long i = 0; i < trees; ++i) sum += tear_down(build(depth, (uint32_t)i));
  }
  return sum + tear_down(long_lived);
}

static void split(Node* tree, uint32_t key, Node** below, Node** above) {
  while (tree != NULL) {
    if (tree->key < key) {
      *below = tree;
      below = &tree->right;
      tree = tree->right;
    } else {
      *above = tree;
      above = &tree->left;
      tree = tree->left;
    }
  }
  *below = NULL;
  *above = NULL;
}

static Node* merge(Node* below, Node* above) {
  Node* tree = NULL;
  Node** end = &tree;
  while (below != NULL && above != NULL) {
    if (below->priority > above->priority) {
      *end = below;
      end = &below->right;
      below = below->right;
    } else {
      *end = above;
      end = &above->left;
      above = above->left;
    }
  }
  *end = below != NULL ? below : above;
  return tree;
}

// Deletes the key where it is, inserts it where it is not.
static void toggle(Node** tree, uint32_t key, uint32_t priority) {
  Node** at = tree;
  while (*at != NULL && (*at)->priority >= priority && (*at)->key != key) {
    at = key < (*at)->key ? &(*at)->left : &(*at)->right;
  }
  Node** place = at;
  while (*at != NULL && (*at)->key != key) at = key < (*at)->key ? &(*at)->left : &(*at)->right;
  if (*at != NULL) {
    Node* gone = *at;
    *at = merge(gone->left, gone->right);
    free(gone);
    return;
  }
  Node* node = node_new(key, priority);
  split(*place, key, &node->left, &node->right);
  *place = node;
}

static uint64_t run_search(long count) {
  Node* tree = NULL;
  uint64_t random = 1;
  for (long i = 0; i < count; ++i) {
    const uint64_t dice = random_next(&random);
    toggle(&tree, (uint32_t)dice % kKeys, (uint32_t)(dice >> 32));
  }
  return tear_down(tree);
}

int main(int argc, char** argv) {
  const long count = argument(argc, argv, 2);
  const int search = strcmp(argv[1], "search") == 0;
  report_sum("trees", search ? run_search(count) : run_perfect(count));
  return 0;
}
