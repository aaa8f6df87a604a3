// The floor under a malloc and free in a shared library: what bench/alloc compares pairs with.
#pragma once

#include <stddef.h>

void* floor_malloc(size_t bytes);
void floor_free(void* block);
