#pragma once
// A file that the build makes, as bytes of the library: ORDEAL_EMBEDDED_FILE(name, "path") defines name_begin and
// name_end.

#define ORDEAL_EMBEDDED_FILE(name, path)                                                                            \
  asm("  .section .rodata\n  .global " #name "_begin\n  .global " #name "_end\n" #name "_begin:\n  .incbin \"" path \
      "\"\n" #name "_end:\n  .byte 0\n  .text\n");                                                                  \
  extern "C" const char name##_begin[];                                                                             \
  extern "C" const char name##_end[]
