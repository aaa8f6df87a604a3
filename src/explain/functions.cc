// The functions, by what they stand for. Names are those of glibc 2.31 to 2.42 (internal ones as
// its debug information has them) and of musl 1.2.
#include "explain/functions.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mini::explain {
namespace {

struct Group {
  Duty duty;
  std::string_view label;
  std::string_view names;  // separated by spaces
};

constexpr std::array kGroups = std::to_array<Group>({
    {Duty::kWrapper, "",
     "brk __brk sbrk __sbrk mmap __mmap mmap64 __mmap64 munmap __munmap mremap __mremap "
     "mprotect __mprotect pkey_mprotect madvise __madvise process_madvise syscall prctl "
     "__prctl shmat __shmat shmdt __shmdt mlock mlock2 mlockall munlock munlockall "
     "remap_file_pages execve __execve __glibc_morecore __default_morecore"},
    {Duty::kMallocEntry, "malloc", "malloc __libc_malloc __libc_malloc2"},
    {Duty::kMallocEntry, "calloc", "calloc __libc_calloc __libc_calloc2"},
    {Duty::kMallocEntry, "realloc", "realloc __libc_realloc"},
    {Duty::kMallocEntry, "reallocarray", "reallocarray __libc_reallocarray"},
    {Duty::kMallocEntry, "free", "free __libc_free cfree"},
    {Duty::kMallocEntry, "memalign", "memalign __libc_memalign"},
    {Duty::kMallocEntry, "aligned_alloc", "aligned_alloc"},
    // aligned_alloc and memalign end in a jump to it, which leaves no frame of theirs.
    {Duty::kMallocEntry, "aligned allocation", "_mid_memalign"},
    {Duty::kMallocEntry, "posix_memalign", "posix_memalign __posix_memalign"},
    {Duty::kMallocEntry, "valloc", "valloc __libc_valloc"},
    {Duty::kMallocEntry, "pvalloc", "pvalloc __libc_pvalloc"},
    {Duty::kMallocEntry, "malloc_trim", "malloc_trim __malloc_trim"},
    {Duty::kMallocEntry, "mallopt", "mallopt __libc_mallopt"},
    {Duty::kMallocEntry, "thread exit",
     "__libc_thread_freeres __malloc_arena_thread_freeres arena_thread_freeres"},
    {Duty::kMallocPart, "",
     "_int_malloc _int_free _int_free_chunk _int_free_merge_chunk _int_free_create_chunk "
     "_int_free_maybe_consolidate _int_realloc _int_memalign sysmalloc "
     "sysmalloc_mmap sysmalloc_mmap_fallback systrim mtrim heap_trim shrink_heap grow_heap "
     "new_heap alloc_new_heap _int_new_arena arena_get2 arena_get_retry tcache_init "
     "tcache_thread_shutdown munmap_chunk mremap_chunk malloc_consolidate ptmalloc_init "
     "delete_heap madvise_thp"},
    {Duty::kMallocPart, "",
     "__libc_malloc_impl alloc_slot alloc_group __malloc_alloc_meta __expand_heap"},
    {Duty::kService, "stdio buffer",
     "_IO_file_doallocate _IO_doallocbuf _IO_new_doallocbuf _IO_wfile_doallocate "
     "_IO_wdoallocbuf _IO_default_doallocate"},
    {Duty::kService, "fopen",
     "fopen fopen64 _IO_new_fopen _IO_fopen _IO_fopen64 __fopen_internal freopen freopen64"},
    {Duty::kService, "fdopen", "fdopen _IO_new_fdopen _IO_fdopen"},
    {Duty::kService, "popen", "popen _IO_new_popen _IO_popen _IO_proc_open"},
    {Duty::kService, "open_memstream", "open_memstream open_wmemstream __open_memstream"},
    {Duty::kService, "fmemopen", "fmemopen"},
    {Duty::kService, "getline", "getline __getline getdelim __getdelim _IO_getdelim"},
    {Duty::kService, "asprintf",
     "asprintf __asprintf vasprintf __vasprintf __vasprintf_internal __asprintf_chk "
     "__vasprintf_chk"},
    {Duty::kService, "locale",
     "setlocale newlocale __newlocale duplocale __duplocale _nl_find_locale "
     "_nl_load_locale _nl_load_locale_from_archive _nl_intern_locale_data "
     "new_composite_name setname"},
    {Duty::kService, "message catalogue",
     "gettext dgettext dcgettext ngettext dngettext dcngettext __dcigettext textdomain "
     "bindtextdomain __textdomain __bindtextdomain set_binding_values _nl_load_domain "
     "_nl_find_domain _nl_make_l10nflist _nl_expand_alias catopen"},
    {Duty::kService, "character conversion",
     "iconv_open iconv __gconv_open __gconv __gconv_find_transform __gconv_load_cache "
     "__gconv_load_conf __wcsmbs_load_conv __wcsmbs_getfct mbrtowc mbstowcs"},
    {Duty::kService, "opendir", "opendir __opendir opendirat fdopendir __alloc_dir"},
    {Duty::kService, "scandir", "scandir scandir64 __scandir64_tail"},
    {Duty::kService, "glob", "glob glob64 __glob glob_in_dir"},
    {Duty::kService, "fts", "fts_open fts64_open fts_read fts64_read fts_build"},
    {Duty::kService, "ftw", "ftw nftw nftw64 ftw64"},
    {Duty::kService, "qsort", "qsort __qsort_r qsort_r"},
    {Duty::kService, "exit handlers",
     "atexit __cxa_atexit on_exit __on_exit __new_exitfn __internal_atexit "
     "__cxa_thread_atexit_impl __cxa_at_quick_exit"},
    {Duty::kService, "environment", "setenv putenv __setenv __add_to_environ"},
    {Duty::kService, "strdup", "strdup __strdup strndup __strndup wcsdup"},
    {Duty::kService, "getcwd", "getcwd __getcwd get_current_dir_name"},
    {Duty::kService, "realpath", "realpath __realpath canonicalize_file_name realpath_stk"},
    {Duty::kService, "regular expressions",
     "regcomp __regcomp re_compile_pattern re_compile_internal regexec __regexec re_search "
     "re_search_internal re_match"},
    {Duty::kService, "time zone",
     "tzset __tzset tzset_internal localtime localtime_r __tz_convert mktime timelocal "
     "strftime __tzfile_read __tzset_parse_tz"},
    {Duty::kService, "name service",
     "getaddrinfo freeaddrinfo gethostbyname gethostbyname_r gethostbyname2_r "
     "gethostbyaddr gethostbyaddr_r getnameinfo getpwnam getpwnam_r __getpwnam_r getpwuid "
     "getpwuid_r __getpwuid_r getpwent getpwent_r getgrnam getgrnam_r getgrgid getgrgid_r "
     "__getgrgid_r getgrent getgrouplist initgroups getservbyname getservbyname_r "
     "getservbyport getprotobyname getspnam getnetbyname __nss_lookup "
     "__nss_lookup_function __nss_database_get __nss_module_load __nss_action_parse "
     "nss_files_parse_init __nscd_get_mapping nscd_get_map_ref"},
    {Duty::kService, "resolver",
     "__res_init __res_ninit res_init res_query res_search __resolv_conf_load "
     "__resolv_conf_get_current __resolv_context_get __res_vinit"},
    {Duty::kService, "posix_spawn",
     "posix_spawn __spawni __spawni_child __spawnix posix_spawnp system do_system __libc_system"},
    {Duty::kService, "syslog", "syslog vsyslog openlog __vsyslog_internal"},
    {Duty::kService, "backtrace", "backtrace backtrace_symbols"},
    {Duty::kService, "tsearch", "tsearch __tsearch"},
    {Duty::kService, "hcreate", "hcreate hcreate_r"},
    {Duty::kService, "wordexp", "wordexp"},
    {Duty::kService, "sem_open", "sem_open __sem_open"},
    {Duty::kService, "timer_create", "timer_create ___timer_create"},
    {Duty::kService, "getifaddrs", "getifaddrs getifaddrs_internal"},
    {Duty::kService, "argp", "argp_parse __argp_parse"},
    {Duty::kService, "mntent", "setmntent __setmntent getmntent getmntent_r"},
    {Duty::kService, "assertion", "__assert_fail __assert_fail_base __libc_message"},
    {Duty::kService, "thread keys", "pthread_setspecific __pthread_setspecific"},
    {Duty::kService, "dlerror", "dlerror _dlerror_run __dlerror"},
    {Duty::kService, "thread-local storage",
     "__tls_get_addr tls_get_addr_tail update_get_addr _dl_update_slotinfo "
     "allocate_dtv_entry allocate_and_init"},
    {Duty::kService, "thread-local storage",
     "init_tls _dl_allocate_tls_storage _dl_allocate_tls _dl_allocate_tls_init"},
    {Duty::kService, "loader's own allocator",
     "__minimal_malloc __minimal_calloc __minimal_realloc"},
    {Duty::kService, "stack attributes", "pthread_getattr_np __pthread_getattr_np"},
    {Duty::kStdio, "stdio",
     "printf __printf fprintf __fprintf vprintf vfprintf dprintf vdprintf __printf_chk "
     "__fprintf_chk __vprintf_chk __vfprintf_chk __vfprintf_internal puts _IO_puts fputs "
     "_IO_fputs fputs_unlocked putchar putchar_unlocked putc _IO_putc putc_unlocked fputc "
     "fputc_unlocked fwrite _IO_fwrite fwrite_unlocked __overflow __woverflow "
     "_IO_new_file_overflow _IO_file_overflow _IO_new_file_xsputn _IO_file_xsputn "
     "_IO_new_file_underflow _IO_file_underflow fgets _IO_fgets fgets_unlocked __fgets_chk "
     "gets getc _IO_getc getc_unlocked fgetc fgetc_unlocked getchar getchar_unlocked fread "
     "_IO_fread fread_unlocked __fread_chk __uflow __underflow _IO_default_uflow "
     "_IO_default_xsgetn _IO_file_xsgetn ungetc _IO_ungetc scanf __scanf fscanf __fscanf "
     "vscanf vfscanf __isoc99_scanf __isoc99_fscanf __isoc23_scanf __isoc23_fscanf fseek "
     "fseeko fseek64 fseeko64 ftell ftello rewind perror psignal setvbuf _IO_setvbuf "
     "wprintf fwprintf vwprintf vfwprintf fputws fputwc putwc putwchar fgetwc getwc "
     "getwchar fgetws error error_at_line warn warnx err errx vwarn verr __error fflush "
     "_IO_fflush fclose _IO_new_fclose _IO_fclose"},
    {Duty::kThreadStack, "pthread_create stack",
     "pthread_create __pthread_create_2_1 allocate_stack allocate_thread_stack "
     "__pthread_create thrd_create"},
    {Duty::kDlopen, "dlopen",
     "dlopen __dlopen dlopen_doit dlopen_implementation dlmopen dlmopen_doit "
     "__libc_dlopen_mode do_dlopen __libc_dlopen _dl_open dl_open_worker "
     "dl_open_worker_begin"},
    {Duty::kDlopen, "dlclose",
     "dlclose __dlclose dlclose_doit _dl_close _dl_close_worker __libc_dlclose"},
    {Duty::kDlopen, "dlsym", "dlsym __dlsym dlsym_doit dlvsym"},
    {Duty::kLoaderPart, "",
     "_dl_map_object _dl_map_object_from_fd _dl_map_object_deps _dl_map_segments "
     "_dl_new_object _dl_relocate_object _dl_protect_relro _dl_load_cache_lookup "
     "_dl_unload_cache _dl_sysdep_start _dl_start _dl_start_final dl_main "
     "map_doit openaux _dl_sysdep_read_whole_file "
     "_dl_catch_exception _dl_catch_error "
     "_dl_make_stack_executable "
     "_dl_important_hwcaps _dl_init_paths open_path open_verify _dl_check_map_versions "
     "_dl_check_all_versions add_to_global_resize _dl_resize_scope _dl_fixup "
     "_dl_profile_fixup _dl_runtime_resolve_xsavec _dl_runtime_resolve_xsave "
     "_dl_runtime_resolve_fxsave _dlstart __dls2 __dls2b __dls3 load_library map_library "
     "load_deps reloc_all"},
    {Duty::kLibcStart, "",
     "_dl_relocate_static_pie __libc_setup_tls _dl_early_allocate __libc_start_main "
     "__libc_start_main_impl generic_start_main __libc_init_first __libc_init_secure "
     "__libc_early_init _dl_non_dynamic_init apply_irel __libc_csu_irel __init_libc "
     "__init_tls static_init_tls libc_start_main_stage2 __libc_start_init"},
    {Duty::kConstructors, "", "call_init _dl_init __libc_csu_init do_init_fini libc_start_init"},
    {Duty::kExit, "",
     "exit __run_exit_handlers quick_exit _exit __exit _Exit _dl_fini call_fini "
     "__libc_exit_fini libc_exit_fini _IO_cleanup"},
    {Duty::kThreadRoot, "thread exit",
     "start_thread __pthread_exit pthread_exit __nptl_free_tcb __nptl_deallocate_stack "
     "__nptl_free_stacks __free_stacks _nptl_free_tcb advise_stack_range free_stacks start "
     "start_c11"},
    {Duty::kThreadRoot, "", "clone __clone clone3 __clone3 __clone_internal thread_start"},
    {Duty::kThreadRoot, "pthread_join",
     "pthread_join __pthread_clockjoin_ex __pthread_timedjoin_np"},
    {Duty::kMainCaller, "", "__libc_start_call_main main"},
});

constexpr std::array<std::string_view, 11> kStartFileFunctions = {
    "_start",
    "_init",
    "_fini",
    "frame_dummy",
    "call_init",
    "register_tm_clones",
    "__libc_csu_init",
    "call_fini",
    "deregister_tm_clones",
    "__libc_csu_fini",
    "__do_global_dtors_aux",
};

// What the compiler and the linker put after a function's name.
constexpr std::array<std::string_view, 6> kSuffixes = {"@",      ".cold",       ".part.",
                                                       ".isra.", ".constprop.", ".lto_priv"};

std::vector<FunctionFact> make_index() {
  std::vector<FunctionFact> index;
  for (const Group& group : kGroups) {
    std::string_view rest = group.names;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(' '), rest.size());
      index.push_back({rest.substr(0, end), group.duty, group.label});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  std::ranges::sort(index, {}, &FunctionFact::name);
  return index;
}

}  // namespace

std::string_view plain_name(std::string_view function) {
  constexpr std::string_view kInternal = "__GI_";
  if (function.starts_with(kInternal)) function.remove_prefix(kInternal.size());
  for (const std::string_view suffix : kSuffixes) {
    function = function.substr(0, function.find(suffix));
  }
  return function;
}

const FunctionFact* find_function(std::string_view name) {
  static const std::vector<FunctionFact> index = make_index();
  if (name.empty()) return nullptr;
  const std::string_view plain = plain_name(name);
  const auto found = std::ranges::lower_bound(index, plain, {}, &FunctionFact::name);
  return found != index.end() && found->name == plain ? &*found : nullptr;
}

bool is_start_file_code(std::string_view function) {
  return std::ranges::find(kStartFileFunctions, function) != kStartFileFunctions.end();
}

}  // namespace mini::explain
