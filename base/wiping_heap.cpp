// The heap of the program wipes what it frees.
//
// libcurl, nghttp2, OpenSSL and the C++ library all copy bytes into buffers of their own on the way
// from a key to the wire, and give them back without clearing them. Instead of trusting a hook of
// each library, this file replaces the C library's `free` and `realloc` for the whole process, so
// that nothing given back can still be read in a core. Blocks still come from glibc, whose own
// functions stay reachable under their `__libc_` names.
//
// Linked into the program only: sanitizers bring a heap of their own.

#include <cstddef>
#include <cstring>
#include <malloc.h>

extern "C" {

// NOLINTBEGIN: a heap is made of reserved names and owning pointers
void* __libc_malloc(std::size_t size);
void __libc_free(void* memory);

void free(void* memory) {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  __libc_free(memory);
}

void* realloc(void* memory, std::size_t size) {
  if (memory == nullptr) return __libc_malloc(size);
  if (size == 0) {
    free(memory);
    return nullptr;
  }
  const std::size_t usable = malloc_usable_size(memory);
  // Staying in place keeps the common case cheap; a block is not kept at less than half its size.
  if (size <= usable && size >= usable / 2) return memory;
  void* moved = __libc_malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, size < usable ? size : usable);
  free(memory);
  return moved;
}

// NOLINTEND
}
