"""Writes a file with all of its mutants compiled in, and drops those that the compiler refuses.

The text goes to FILE.mutants, which FILE includes: as a system header, so that warnings about changes are none. What asks for
the chosen mutant reads ORDEAL_MUTANT once; with ORDEAL_MUTANT_TRACE=PATH each mutant that is reached is written there.
"""

import re

from rules import CHOSEN

RUNTIME = rb"""#pragma GCC system_header
#ifndef ORDEAL_MUTANT_RUNTIME
#define ORDEAL_MUTANT_RUNTIME
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <type_traits>
#include <unistd.h>
inline void ordeal_mutant_reached(int number, const char* path) {
  static std::atomic<unsigned char> seen[65536];
  if (seen[number & 65535].exchange(1) != 0) return;
  const int file = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  char line[16];
  const int length = std::snprintf(line, sizeof line, "%d\n", number);
  if (file >= 0 && ::write(file, line, static_cast<std::size_t>(length)) >= 0) ::close(file);
}
inline bool ordeal_mutant(int number) {
  static const int chosen = std::getenv("ORDEAL_MUTANT") ? std::atoi(std::getenv("ORDEAL_MUTANT")) : 0;
  static const char* const trace = std::getenv("ORDEAL_MUTANT_TRACE");
  if (trace != nullptr) ordeal_mutant_reached(number, trace);
  return chosen == number;
}
#endif
"""


class Schema:
    """The text of one file, and where in it each mutant stands."""

    def __init__(self, source, mutants):
        self.mutants = [m for m in mutants if m.prefix]
        self.spans = []  # (start, end, mutant) in the text
        self.out = bytearray(RUNTIME)
        self.source = source
        # Outer pieces first; of equal ones, the shorter change is the inner one.
        pieces = sorted(self.mutants, key=lambda m: (m.outer[0], -m.outer[1], m.kind != "drop" and m.kind != "return"))
        self.write(0, len(source), pieces)
        self.text = bytes(self.out)

    def write(self, start, end, pieces):
        at = start
        while pieces:
            first = pieces[0]
            inner = []
            rest = []
            for piece in pieces[1:]:
                (inner if piece.outer[0] < first.outer[1] else rest).append(piece)
            self.out += self.source[at:first.outer[0]]
            begun = len(self.out)
            call = b"ordeal_mutant(%d)" % first.number
            self.out += first.prefix.replace(CHOSEN, call)
            self.write(first.outer[0], first.outer[1], inner)
            self.out += first.suffix
            self.spans.append((begun, len(self.out), first))
            at = first.outer[1]
            pieces = rest
        self.out += self.source[at:end]

    def refused(self, errors):
        """The mutants in whose pieces the places (line, column) of a compiler's errors lie."""
        starts = [0]
        for match in re.finditer(b"\n", self.text):
            starts.append(match.end())
        found = []
        for line, column in errors:
            if line > len(starts):
                continue
            at = starts[line - 1] + max(0, column - 1)
            around = [span for span in self.spans if span[0] <= at < span[1]]
            if around:
                # The innermost piece, and those that repeat its text in their own prefix.
                inner = min(around, key=lambda span: span[1] - span[0])
                found.append(inner[2])
        return list({id(m): m for m in found}.values())
