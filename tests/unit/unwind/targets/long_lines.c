// Two units with a function and a line table each. One table has more rows than any real one,
// though the file is small where it is compressed.
#define FUNCTION(name) ".globl " #name "\n" #name ": .skip 16, 0x90\n"
#define UNIT(function, lines)                                                         \
  "1: .long 3f-2f\n2: .short 4\n .long abbreviations\n .byte 8, 1\n .quad " #function \
  ", 16\n .long " #lines "\n3:\n"
// Version 2, for one file; a row for line 1 at the function, `count` more, and the end behind it.
#define LINES(name, function, count)                                     \
  #name                                                                  \
      ": .long 5f-1f\n1: .short 2\n .long 3f-2f\n"                       \
      "2: .byte 1, 1, -5, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0\n"        \
      " .asciz \"" #function                                             \
      ".c\"\n .byte 0, 0, 0, 0\n"                                        \
      "3: .byte 0, 9, 2\n .quad " #function "\n .byte 1\n .fill " #count \
      ", 1, 1\n"                                                         \
      " .byte 2, 16, 0, 1, 1\n5:\n"

__asm__(".text\n" FUNCTION(with_lines) FUNCTION(with_long_lines)
        ".pushsection .debug_abbrev,\"\",@progbits\n"
        "abbreviations: .byte 1, 0x11, 0, 0x11, 1, 0x12, 7, 0x10, 0x17, 0, 0, 0\n"
        ".popsection\n"
        ".pushsection .debug_line,\"\",@progbits\n"
        LINES(lines, with_lines, 1) LINES(long_lines, with_long_lines, 8388608)
        ".popsection\n"
        ".pushsection .debug_info,\"\",@progbits\n"
        UNIT(with_lines, lines) UNIT(with_long_lines, long_lines)
        ".popsection\n");

int main(void) {
  return 0;
}
