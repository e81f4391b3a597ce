#include "nemesis/programs/agent/vdso.h"

#include <elf.h>
#include <unistd.h>

#include <cstring>

#include "nemesis/programs/agent/proc.h"

namespace ordeal::agent {
namespace {

// A structure at an offset of the image; false when it is not all there.
template <class Part>
bool part_at(const Vdso& vdso, std::uint64_t offset, Part& out) {
  if (offset > vdso.image.size() || vdso.image.size() - offset < sizeof out) return false;
  std::memcpy(&out, vdso.image.data() + offset, sizeof out);
  return true;
}

std::string_view text_at(const Vdso& vdso, std::uint64_t offset) {
  if (offset >= vdso.image.size()) return {};
  const char* text = reinterpret_cast<const char*>(vdso.image.data() + offset);
  return {text, ::strnlen(text, vdso.image.size() - offset)};
}

// Where the parts of the image lie, from its program headers and its dynamic section. Addresses in a vDSO are relative
// to its first segment.
struct Layout {
  std::uint64_t bias = 0;     // address - offset
  std::uint64_t symbols = 0;  // offsets
  std::uint64_t names = 0;
};

bool find_layout(const Vdso& vdso, Layout& out) {
  Elf64_Ehdr header{};
  if (!part_at(vdso, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return false;
  }
  std::uint64_t dynamic = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!part_at(vdso, header.e_phoff + i * sizeof segment, segment)) return false;
    if (segment.p_type == PT_LOAD) out.bias = segment.p_vaddr - segment.p_offset;
    if (segment.p_type == PT_DYNAMIC) dynamic = segment.p_offset;
  }
  Elf64_Dyn entry{};
  for (; dynamic != 0 && part_at(vdso, dynamic, entry) && entry.d_tag != DT_NULL; dynamic += sizeof entry) {
    if (entry.d_tag == DT_SYMTAB) out.symbols = entry.d_un.d_ptr - out.bias;
    if (entry.d_tag == DT_STRTAB) out.names = entry.d_un.d_ptr - out.bias;
  }
  return out.symbols != 0 && out.names > out.symbols;
}

}  // namespace

Vdso vdso_of(int process) {
  Vdso out;
  for (const Mapping& one : mappings_of(process)) {
    if (one.name != "[vdso]" || one.end - one.start > 64 * 4096) continue;
    out.image.resize(one.end - one.start);
    if (!read_memory(process, one.start, out.image.data(), out.image.size())) return {};
    out.start = one.start;
  }
  return out;
}

const Vdso& own_vdso() {
  static const Vdso own = vdso_of(::getpid());
  return own;
}

VdsoFunction find_function(const Vdso& vdso, std::string_view name) {
  Layout layout;
  if (!find_layout(vdso, layout)) return {};
  // The names follow the symbols in every vDSO, which tells how many there are; its hash table may be of either kind.
  Elf64_Sym symbol{};
  for (std::uint64_t at = layout.symbols; at + sizeof symbol <= layout.names && part_at(vdso, at, symbol);
       at += sizeof symbol) {
    if (symbol.st_shndx != SHN_UNDEF && text_at(vdso, layout.names + symbol.st_name) == name) {
      return {symbol.st_value - layout.bias, symbol.st_size};
    }
  }
  return {};
}

}  // namespace ordeal::agent
