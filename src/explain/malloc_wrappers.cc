#include "explain/malloc_wrappers.h"

#include <algorithm>
#include <array>

namespace mini::explain {
namespace {

constexpr auto kWrappers = [] {
  auto names = std::to_array<std::string_view>(
      {// GNU programs, git
       "x2nrealloc", "x2realloc", "xcalloc", "xcharalloc", "xmalloc", "xmallocz", "xmemdup",
       "xmemdupz", "xnmalloc", "xnrealloc", "xpalloc", "xrealloc", "xreallocarray", "xstrdup",
       "xstrndup", "xzalloc",
       // GLib
       "g_aligned_alloc", "g_malloc", "g_malloc0", "g_malloc0_n", "g_malloc_n", "g_memdup",
       "g_memdup2", "g_realloc", "g_realloc_n", "g_slice_alloc", "g_slice_alloc0", "g_strdup",
       "g_strndup", "g_try_malloc", "g_try_malloc0", "g_try_realloc",
       // OpenSSL
       "CRYPTO_aligned_alloc", "CRYPTO_clear_realloc", "CRYPTO_malloc", "CRYPTO_memdup",
       "CRYPTO_realloc", "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_zalloc",
       // SQLite
       "dbMallocRawFinish", "mallocWithAlarm", "sqlite3DbMallocRaw", "sqlite3DbMallocRawNN",
       "sqlite3DbMallocZero", "sqlite3DbRealloc", "sqlite3DbReallocOrFree", "sqlite3Malloc",
       "sqlite3MallocZero", "sqlite3PageMalloc", "sqlite3Realloc", "sqlite3MemMalloc",
       "sqlite3MemRealloc", "sqlite3_malloc", "sqlite3_malloc64", "sqlite3_realloc",
       "sqlite3_realloc64",
       // CPython
       "PyMem_Calloc", "PyMem_Malloc", "PyMem_RawCalloc", "PyMem_RawMalloc", "PyMem_RawRealloc",
       "PyMem_Realloc", "PyObject_Calloc", "PyObject_Malloc", "PyObject_Realloc",
       "_PyMem_RawCalloc", "_PyMem_RawMalloc", "_PyMem_RawRealloc", "_PyObject_Calloc",
       "_PyObject_Malloc", "_PyObject_Realloc", "PyType_GenericAlloc", "_PyObject_GC_New",
       "_PyObject_GC_NewVar", "_PyObject_New", "_PyObject_NewVar",
       // Lua
       "l_alloc", "luaM_growaux_", "luaM_malloc_", "luaM_realloc_", "luaM_saferealloc_",
       "luaM_shrinkvector_",
       // Perl
       "Perl_safesyscalloc", "Perl_safesysmalloc", "Perl_safesysrealloc",
       // Ruby
       "objspace_xcalloc", "objspace_xmalloc0", "objspace_xrealloc", "rb_xmalloc_mul_add",
       "ruby_strdup", "ruby_xcalloc", "ruby_xmalloc", "ruby_xmalloc2", "ruby_xrealloc",
       "ruby_xrealloc2",
       // PHP
       "__zend_calloc", "__zend_malloc", "__zend_realloc", "_ecalloc", "_emalloc", "_erealloc",
       // PostgreSQL
       "AllocSetAlloc", "AllocSetRealloc", "GenerationAlloc", "MemoryContextAlloc",
       "MemoryContextAllocExtended", "MemoryContextAllocHuge", "MemoryContextAllocZero",
       "MemoryContextAllocZeroAligned", "MemoryContextStrdup", "SlabAlloc", "palloc", "palloc0",
       "palloc_extended", "pnstrdup", "pstrdup", "repalloc", "repalloc_huge",
       // Redis
       "zcalloc", "zcalloc_usable", "zmalloc", "zmalloc_usable", "zrealloc", "zrealloc_usable",
       "zstrdup", "ztrycalloc", "ztrycalloc_usable", "ztrycalloc_usable_internal", "ztrymalloc",
       "ztrymalloc_usable", "ztrymalloc_usable_internal", "ztryrealloc", "ztryrealloc_usable",
       "ztryrealloc_usable_internal",
       // Apache, nginx
       "allocator_alloc", "apr_allocator_alloc", "apr_palloc", "apr_pcalloc", "ngx_alloc",
       "ngx_calloc", "ngx_memalign", "ngx_palloc", "ngx_pcalloc", "ngx_pnalloc",
       // BIND, HAProxy
       "isc__mem_allocate", "isc__mem_get", "isc__mem_reallocate", "isc__mem_reget",
       "isc__mem_strdup", "__pool_alloc", "pool_alloc_nocache", "pool_get_from_os",
       // HotSpot
       "AllocateHeap", "Arena::Amalloc", "Arena::Amalloc_4", "Arena::Arealloc", "Arena::Arena",
       "Arena::grow", "ChunkPool::allocate", "ReallocateHeap", "os::malloc", "os::realloc",
       "os::strdup", "resource_allocate_bytes", "resource_reallocate_bytes",
       // LLVM
       "llvm::SmallVectorBase<unsigned int>::grow_pod",
       "llvm::SmallVectorBase<unsigned int>::mallocForGrow",
       "llvm::SmallVectorBase<unsigned long>::grow_pod",
       "llvm::SmallVectorBase<unsigned long>::mallocForGrow", "llvm::allocate_buffer",
       // Mono, R, Tcl
       "R_alloc", "R_chk_calloc", "R_chk_realloc", "Rf_allocVector", "Rf_allocVector3", "TclpAlloc",
       "TclpRealloc", "Tcl_Alloc", "Tcl_Realloc", "monoeg_g_memdup", "monoeg_g_strdup",
       "monoeg_g_strndup", "monoeg_malloc", "monoeg_malloc0", "monoeg_realloc", "monoeg_try_malloc",
       // FFmpeg, FreeType, ImageMagick
       "AcquireAlignedMemory", "AcquireMagickMemory", "AcquireQuantumMemory", "ResizeMagickMemory",
       "ResizeQuantumMemory", "av_calloc", "av_fast_malloc", "av_fast_realloc", "av_malloc",
       "av_malloc_array", "av_mallocz", "av_memdup", "av_realloc", "av_realloc_array",
       "av_realloc_f", "av_strdup", "av_strndup", "ft_mem_alloc", "ft_mem_dup", "ft_mem_qalloc",
       "ft_mem_qrealloc", "ft_mem_realloc",
       // MariaDB, MySQL
       "alloc_root", "multi_alloc_root", "my_malloc", "my_memdup", "my_multi_malloc", "my_realloc",
       "my_strdup", "my_strndup",
       // GMP, PARI
       "__gmp_default_allocate", "__gmp_default_reallocate", "__gmpz_realloc", "pari_calloc",
       "pari_malloc", "pari_realloc", "pari_strdup",
       // SWI-Prolog, Guile, SBCL
       "PL_malloc", "PL_malloc_atomic", "PL_malloc_atomic_uncollectable",
       "PL_malloc_atomic_unmanaged", "PL_malloc_uncollectable", "PL_malloc_unmanaged", "PL_realloc",
       "scm_calloc", "scm_malloc", "scm_realloc", "scm_strdup", "successful_malloc",
       // GCC
       "_obstack_begin", "_obstack_newchunk", "ggc_internal_alloc", "ggc_internal_cleared_alloc"});
  std::ranges::sort(names);
  return names;
}();

}  // namespace

bool is_malloc_wrapper(std::string_view function) {
  // A class's own.
  if (function.ends_with("::operator new") || function.ends_with("::operator new[]")) return true;
  return std::ranges::binary_search(kWrappers, function);
}

}  // namespace mini::explain
