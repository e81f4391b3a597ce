#include "nemesis/programs/agent/clock.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "nemesis/programs/agent/background.h"
#include "nemesis/programs/agent/clock_hook.h"
#include "nemesis/programs/agent/proc.h"
#include "nemesis/programs/agent/timing.h"
#include "nemesis/programs/agent/tracee.h"
#include "nemesis/programs/agent/vdso.h"

namespace ordeal::agent {
namespace {

// A millisecond apart, and on a busy machine no longer than this. In the second half of them what lies on the stacks is
// not looked at any more: by then it is left over from earlier.
constexpr int kAttempts = 200;
constexpr std::int64_t kMaxNs = 2'000'000'000;
constexpr int kReadings = 5;
constexpr std::int64_t kQuickNs = 300'000;
constexpr std::uint64_t kStackBytes = 16'384;
constexpr std::uint64_t kAboveStack = 256;  // that a function may read: the vDSO of aarch64 does, to order its reads

class Attempts {
 public:
  // Waits, except for the first.
  bool more() {
    if (count_ > 0) pause_ns(1'000'000);
    // At least one without the stacks.
    return count_++ < kAttempts && (count_ < 2 || passed() < kMaxNs || !std::exchange(late_, true));
  }
  [[nodiscard]] bool first_half() const { return count_ <= kAttempts / 2 && passed() < kMaxNs / 2 && !late_; }

 private:
  [[nodiscard]] std::int64_t passed() const { return monotonic_ns() - began_ns_; }
  const std::int64_t began_ns_ = monotonic_ns();
  int count_ = 0;
  bool late_ = false;
};

bool has_ended(int process) { return !status_of(process).alive(); }

// The bytes of a process's vDSO at an offset, as a jump.
Jump head_at(const Vdso& vdso, std::uint64_t offset) {
  Jump out{};
  if (offset + out.size() <= vdso.image.size()) std::memcpy(out.data(), vdso.image.data() + offset, out.size());
  return out;
}

// The offset of an instruction for a system call, 0 when there is none.
std::uint64_t find_system_call(const std::vector<unsigned char>& image) {
  for (std::uint64_t at = 0; at + kSystemCall.size() <= image.size(); at += kInstructionAlignment) {
    if (std::memcmp(image.data() + at, kSystemCall.data(), kSystemCall.size()) == 0) return at;
  }
  return 0;
}

// What all the changes here need to know of a vDSO.
struct Patchable {
  struct Function {
    std::uint64_t offset = 0;  // in the image
    std::uint64_t size = 0;
    std::size_t entry = 0;  // in the hook's code
  };
  Vdso vdso;
  std::vector<Function> functions;
  std::uint64_t instruction = 0;  // where it has one for a system call
};

std::string look_up(int process, Patchable& out) {
  out.vdso = vdso_of(process);
  if (out.vdso.start == 0) return has_ended(process) ? "it has ended" : "it has no vDSO";
  for (const HookEntry& one : clock_hook_entries()) {
    const VdsoFunction found = find_function(out.vdso, one.symbol);
    if (found.offset == 0) continue;
    if (found.size < sizeof(Jump) || found.offset + found.size > out.vdso.image.size()) {
      return std::string("its vDSO's ") + one.symbol + " is too short to be replaced";
    }
    out.functions.push_back({found.offset, found.size, one.offset});
  }
  if (out.functions.empty()) return "its vDSO has no clock of the 64-bit kind";
  const std::uint64_t at = find_system_call(out.vdso.image);
  if (at == 0) return "its vDSO has no instruction for a system call";
  out.instruction = out.vdso.start + at;
  return "";
}

// Whether a thread is within, or on its way back into, the heads that are to be rewritten. Being at the very beginning
// of one does no harm. From behind its head a function might jump back into it, to read the clock once more: while
// `stacks` are looked at so is all of the function, and to the end where it is seen to do that.
bool heads_in_use(const Tracee& tracee, const Patchable& what, bool stacks) {
  return std::any_of(what.functions.begin(), what.functions.end(), [&](const Patchable::Function& one) {
    const std::uint64_t head = what.vdso.start + one.offset;
    const bool whole = stacks || jumps_into_head({what.vdso.image.data() + one.offset, one.size});
    return tracee.uses(head + 1, head + (whole ? one.size : sizeof(Jump)), stacks);
  });
}

bool is_page(int process, std::uint64_t address, ClockPage& out) {
  return read_memory(process, address + kPartSize, &out, sizeof out) && out.magic == kClockMagic &&
         out.self == address + kPartSize;
}

// Maps the two parts into the process and fills them; 0 when that fails.
std::uint64_t install(Tracee& tracee, std::uint64_t instruction, std::string_view id,
                      const ClockParameters& parameters) {
  const long mapped = tracee.system_call(
      instruction, SYS_mmap,
      {0, 2 * kPartSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, static_cast<std::uint64_t>(-1), 0});
  if (mapped < 0 && mapped > -4096) return 0;
  const auto page = static_cast<std::uint64_t>(mapped);
  ClockPage contents;
  contents.self = page + kPartSize;
  std::memcpy(contents.id, id.data(), std::min(id.size(), sizeof contents.id - 1));
  contents.parameters = parameters;
  const auto code = clock_hook_code();
  // Neither writable code nor executable data, since some systems forbid it.
  const bool good = tracee.system_call(instruction, SYS_mprotect,
                                       {page + kPartSize, kPartSize, PROT_READ | PROT_WRITE, 0, 0, 0}) == 0 &&
                    tracee.write(page, code.data(), code.size()) &&
                    tracee.write(page + kPartSize, &contents, sizeof contents);
  if (good) return page;
  (void)tracee.system_call(instruction, SYS_munmap, {page, 2 * kPartSize, 0, 0, 0, 0});
  return 0;
}

// Gives the heads their bytes again.
bool restore(Tracee& tracee, const Patchable& what, std::uint64_t page) {
  for (const auto& one : what.functions) {
    const std::uint64_t target = jump_target(head_at(what.vdso, one.offset));
    if (target < page || target >= page + kMaxCode) continue;
    const Jump original = head_at(own_vdso(), one.offset);
    if (!tracee.write(what.vdso.start + one.offset, original.data(), original.size())) return false;
  }
  return true;
}

bool same_but_for_heads(const Patchable& what) {
  std::vector<unsigned char> image = what.vdso.image;
  for (const auto& one : what.functions) {
    const Jump original = head_at(own_vdso(), one.offset);
    if (jump_target(head_at(what.vdso, one.offset)) != 0) {
      std::copy(original.begin(), original.end(), image.begin() + static_cast<std::ptrdiff_t>(one.offset));
    }
  }
  return image == own_vdso().image;
}

std::string set_once(int process, std::string_view id, const ClockParameters& parameters, bool stacks, bool& busy) {
  Tracee tracee(process);
  if (!tracee.stopped()) return tracee.problem();
  Patchable what;
  if (auto problem = look_up(process, what); !problem.empty()) return problem;
  // Undoing takes the original bytes from our own vDSO.
  if (!same_but_for_heads(what)) return "its vDSO is not that of this machine's kernel";
  const FoundPage there = find_page(process);
  if (there.in_force) return there.id == id ? "" : "its clock is changed already, by fault " + there.id;
  busy = heads_in_use(tracee, what, stacks);
  if (busy) return "";
  const std::uint64_t page = install(tracee, what.instruction, id, parameters);
  if (page == 0) return has_ended(process) ? "it has ended" : "no page could be mapped into it";
  for (const auto& one : what.functions) {
    const Jump jump = make_jump(page + one.entry);
    if (!tracee.write(what.vdso.start + one.offset, jump.data(), jump.size())) return "its vDSO cannot be written";
  }
  return "";
}

std::string reset_once(int process, std::string_view id, bool stacks, bool& busy) {
  Tracee tracee(process);
  if (!tracee.stopped()) return tracee.problem();
  const FoundPage there = find_page(process);
  busy = false;
  if (there.address == 0 || there.id != id) return "";
  Patchable what;
  if (auto problem = look_up(process, what); !problem.empty()) return problem;
  busy = heads_in_use(tracee, what, stacks);
  if (busy) return "";
  if (!restore(tracee, what, there.address)) return "its vDSO cannot be written";
  // From now on no thread gets into the page; those that are in it will have left it soon.
  busy = tracee.uses(there.address, there.address + kMaxCode, stacks);
  if (busy) return "";
  const long done = tracee.system_call(what.instruction, SYS_munmap, {there.address, 2 * kPartSize, 0, 0, 0, 0});
  return done == 0 ? "" : "its page cannot be unmapped";
}

}  // namespace

FoundPage find_page(int process) {
  FoundPage out;
  ClockPage page;
  Patchable what;
  if (!look_up(process, what).empty()) return out;
  for (const auto& one : what.functions) {
    const std::uint64_t address = jump_target(head_at(what.vdso, one.offset)) & ~(kMaxCode - 1);
    if (address == 0 || !is_page(process, address, page)) continue;
    return {address, page.id, true};
  }
  // One that is not in force any more, left because a thread was in it.
  for (const Mapping& map : mappings_of(process)) {
    if (map.permissions == "r-xp" && map.name.empty() && is_page(process, map.start, page)) {
      return {map.start, page.id, false};
    }
  }
  return out;
}

std::string set_clock(int process, const std::string& folder, std::string_view id, const ClockParameters& parameters) {
  for (Attempts attempts; attempts.more();) {
    if (!exists(folder)) return "the fault has been undone";
    bool busy = false;
    auto problem = set_once(process, id, parameters, attempts.first_half(), busy);
    if (!busy) return problem;
  }
  return "it never leaves the code that is to be changed";
}

std::string reset_clock(int process, std::string_view id) {
  for (Attempts attempts; attempts.more();) {
    bool busy = false;
    const FoundPage there = find_page(process);
    if (there.address == 0 || there.id != id) return "";
    auto problem = reset_once(process, id, attempts.first_half(), busy);
    if (!busy) return has_ended(process) ? "" : problem;
  }
  return "a thread never leaves the page";
}

std::string read_clock(int process, ClockReading& out) {
  Tracee tracee(process);
  if (!tracee.stopped()) return tracee.problem();
  Patchable what;
  if (auto problem = look_up(process, what); !problem.empty()) return problem;
  out.pristine = what.vdso.image == own_vdso().image;
  const std::uint64_t function = what.vdso.start + what.functions.front().offset;
  // A stack of its own: that of a Go routine may have no room for C.
  const long mapped = tracee.system_call(
      what.instruction, SYS_mmap,
      {0, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, static_cast<std::uint64_t>(-1), 0});
  if (mapped < 0 && mapped > -4096) return has_ended(process) ? "it has ended" : "no page could be mapped into it";
  const auto stack = static_cast<std::uint64_t>(mapped);
  bool good = true;
  for (int i = 0; good && i < kReadings && (i == 0 || out.after_ns - out.before_ns > kQuickNs); ++i) {
    timespec inside{};
    long result = -1;
    out.before_ns = wall_clock_ns();
    good = tracee.call(what.instruction, function, CLOCK_REALTIME, stack, stack + kStackBytes - kAboveStack, result) &&
           result == 0;
    out.after_ns = wall_clock_ns();
    good = read_memory(process, stack, &inside, sizeof inside) && good;
    out.inside_ns = inside.tv_sec * 1'000'000'000 + inside.tv_nsec;
  }
  (void)tracee.system_call(what.instruction, SYS_munmap, {stack, kStackBytes, 0, 0, 0, 0});
  return good ? "" : "its clock could not be asked";
}

}  // namespace ordeal::agent
