#pragma once
// Machine: what differs between processors in stopping, steering and patching a process.
//
// aarch64 as in the kernel's sources: arch/arm64/kernel/signal.c (how interrupted calls begin again), ptrace.c and
// syscall.c, Documentation/arch/arm64/sve.rst. The code that is patched is flushed from the caches by the kernel
// (flush_ptrace_access).

#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <elf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <span>
#include <vector>

namespace ordeal::agent {

#if defined(__x86_64__)

using Registers = user_regs_struct;

inline constexpr std::array<unsigned char, 2> kSystemCall = {0x0f, 0x05};
inline constexpr std::uint64_t kInstructionAlignment = 1;

inline std::uint64_t program_counter(const Registers& r) { return r.rip; }
inline std::uint64_t stack_pointer(const Registers& r) { return r.rsp; }
inline long returned(const Registers& r) { return static_cast<long>(r.rax); }

// Where a function keeps the way back that has not put it on the stack; 0: it always has.
inline std::uint64_t return_register(const Registers&) { return 0; }

// What a function has returned whose caller went on to a system call at once, seen at the entry of that.
inline long returned_before_entry(const Registers& r) { return static_cast<long>(r.orig_rax); }

// `r` is about to make a system call; `at` is where an instruction for it is.
inline void prepare_system_call(Registers& r, std::uint64_t at, long number, const std::array<std::uint64_t, 6>& a) {
  r.rip = at;
  r.rax = static_cast<std::uint64_t>(number);
  r.rdi = a[0];
  r.rsi = a[1];
  r.rdx = a[2];
  r.r10 = a[3];
  r.r8 = a[4];
  r.r9 = a[5];
  r.orig_rax = ~0ULL;  // it is in no system call that would have to be begun again
}

// `r` is about to call a function of two arguments on a stack that ends at `stack`. Returns the word that the caller
// must put at the stack pointer first (the return address), 0 when none is needed.
inline std::uint64_t prepare_call(Registers& r, std::uint64_t function, std::uint64_t first, std::uint64_t second,
                                  std::uint64_t stack, std::uint64_t return_to) {
  r.rip = function;
  r.rdi = first;
  r.rsi = second;
  r.rax = 0;
  r.rsp = (stack & ~15ULL) - 8;
  r.eflags &= ~0x400ULL;  // the direction flag, as the calling convention has it
  r.orig_rax = ~0ULL;
  return return_to;
}

// The jump to `target` that replaces the head of a function: movabs rax, target; jmp rax.
using Jump = std::array<unsigned char, 12>;
inline Jump make_jump(std::uint64_t target) {
  Jump jump = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
  std::memcpy(jump.data() + 2, &target, sizeof target);
  return jump;
}
inline std::uint64_t jump_target(const Jump& jump) {
  std::uint64_t target = 0;
  std::memcpy(&target, jump.data() + 2, sizeof target);
  return make_jump(target) == jump ? target : 0;
}

// Whether code of a function behind the part that a jump replaces jumps back into that part. Not known here: no.
inline bool jumps_into_head(std::span<const unsigned char>) { return false; }

// To go on with a system call in which the thread was interrupted. Here the kernel does that, as orig_rax tells it.
inline void continue_wait(int, Registers&) {}

// What a system call takes from a thread beside the registers. Here: nothing.
class ForgottenState {
 public:
  explicit ForgottenState(int) {}
  [[nodiscard]] bool give_back(int) const { return true; }
};

#elif defined(__aarch64__)

using Registers = user_regs_struct;

inline constexpr std::array<unsigned char, 4> kSystemCall = {0x01, 0x00, 0x00, 0xd4};
inline constexpr std::uint64_t kInstructionAlignment = 4;

inline std::uint64_t program_counter(const Registers& r) { return r.pc; }
inline std::uint64_t stack_pointer(const Registers& r) { return r.sp; }
inline long returned(const Registers& r) { return static_cast<long>(r.regs[0]); }
inline std::uint64_t return_register(const Registers& r) { return r.regs[30]; }

inline long returned_before_entry(const Registers& r) { return returned(r); }

// The thread goes on elsewhere: what an indirect branch that it has just done may lead to (BTI) does not count any
// more.
inline void go_to(Registers& r, std::uint64_t address) {
  constexpr std::uint64_t kBranchType = 3ULL << 10U;
  r.pc = address;
  r.pstate &= ~kBranchType;
}

inline void prepare_system_call(Registers& r, std::uint64_t at, long number, const std::array<std::uint64_t, 6>& a) {
  go_to(r, at);
  r.regs[8] = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < a.size(); ++i) r.regs[i] = a[i];
}

inline std::uint64_t prepare_call(Registers& r, std::uint64_t function, std::uint64_t first, std::uint64_t second,
                                  std::uint64_t stack, std::uint64_t return_to) {
  go_to(r, function);
  r.regs[0] = first;
  r.regs[1] = second;
  r.regs[8] = 0;
  r.regs[30] = return_to;
  r.sp = stack & ~15ULL;
  return 0;
}

// bti c; ldr x16, target; br x16; target
using Jump = std::array<unsigned char, 20>;
inline Jump make_jump(std::uint64_t target) {
  Jump jump = {0x5f, 0x24, 0x03, 0xd5, 0x50, 0x00, 0x00, 0x58, 0x00, 0x02, 0x1f, 0xd6};
  std::memcpy(jump.data() + 12, &target, sizeof target);
  return jump;
}
inline std::uint64_t jump_target(const Jump& jump) {
  std::uint64_t target = 0;
  std::memcpy(&target, jump.data() + 12, sizeof target);
  return make_jump(target) == jump ? target : 0;
}

inline bool jumps_into_head(std::span<const unsigned char> function) {
  for (std::size_t at = sizeof(Jump); at + 4 <= function.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, function.data() + at, sizeof word);
    // The field of the distance, in instructions: b; b.cond, cbz and cbnz; tbz and tbnz.
    int shift = 0;
    std::uint32_t bits = 0;
    if ((word & 0x7c000000U) == 0x14000000U) {
      bits = 26;
    } else if ((word & 0xff000000U) == 0x54000000U || (word & 0x7e000000U) == 0x34000000U) {
      shift = 5;
      bits = 19;
    } else if ((word & 0x7e000000U) == 0x36000000U) {
      shift = 5;
      bits = 14;
    } else {
      continue;
    }
    const std::uint32_t field = word >> shift << (32 - bits);
    const auto target =
        static_cast<std::int64_t>(at) + (static_cast<std::int32_t>(field) >> (32 - bits)) * std::int64_t{4};
    if (target > 0 && target < static_cast<std::int64_t>(sizeof(Jump))) return true;
  }
  return false;
}

// The kernel has set the thread back to begin its call anew before we could look. A call that waits for a length of
// time must go on by restart_syscall(2) instead, as it would without us, or each look would make it wait for all of it
// again. (One that was stopped just before such a call, and not in it, cannot be told apart; it may then return at
// once.)
inline void continue_wait(int thread, Registers& r) {
  const auto at = static_cast<std::uint32_t>(::ptrace(PTRACE_PEEKTEXT, thread, r.pc, 0));
  if (std::memcmp(&at, kSystemCall.data(), sizeof at) != 0) return;
  const bool sleeps =
      r.regs[8] == SYS_nanosleep || (r.regs[8] == SYS_clock_nanosleep && (r.regs[1] & TIMER_ABSTIME) == 0);
  const bool waits = r.regs[8] == SYS_futex && (r.regs[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && r.regs[3] != 0;
  if (sleeps || waits) r.regs[8] = SYS_restart_syscall;
}

// What a system call takes from a thread beside the registers: all but the first 128 bits of SVE's, and the streaming
// mode of SME. A thread that was interrupted between two instructions needs them.
class ForgottenState {
 public:
  explicit ForgottenState(int thread) {
    for (Set& one : sets_) read(thread, one);
  }
  [[nodiscard]] bool give_back(int thread) const {
    bool good = true;
    for (const Set& one : sets_) {
      iovec all{const_cast<unsigned char*>(one.bytes.data()), one.bytes.size()};
      good = (one.bytes.empty() || ::ptrace(PTRACE_SETREGSET, thread, one.kind, &all) == 0) && good;
    }
    return good;
  }

 private:
  struct Head {  // user_sve_header
    std::uint32_t size, max_size;
    std::uint16_t length, max_length, flags, reserved;
  };
  static constexpr std::uint16_t kHasVectors = 1;  // else only what a system call leaves alone
  struct Set {
    int kind;
    std::vector<unsigned char> bytes;
  };
  static void read(int thread, Set& out) {
    Head head{};
    iovec first{&head, sizeof head};
    if (::ptrace(PTRACE_GETREGSET, thread, out.kind, &first) != 0 || first.iov_len < sizeof head) return;
    if ((head.flags & kHasVectors) == 0 || head.size <= sizeof head) return;
    out.bytes.resize(head.size);
    iovec all{out.bytes.data(), out.bytes.size()};
    if (::ptrace(PTRACE_GETREGSET, thread, out.kind, &all) != 0) out.bytes.clear();
  }
  std::array<Set, 2> sets_ = {Set{0x405, {}}, Set{0x40b, {}}};  // NT_ARM_SVE, NT_ARM_SSVE
};

#endif

inline bool get_registers(int thread, Registers& out) {
  iovec all{&out, sizeof out};
  return ::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &all) == 0;
}

inline bool set_registers(int thread, const Registers& in) {
  iovec all{const_cast<Registers*>(&in), sizeof in};
  return ::ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &all) == 0;
}

// Makes the system call at whose entry the thread is stopped do nothing.
inline bool skip_system_call(int thread, Registers& at_entry) {
#if defined(__x86_64__)
  at_entry.orig_rax = ~0ULL;
  return set_registers(thread, at_entry);
#else
  (void)at_entry;
  int none = -1;
  iovec number{&none, sizeof none};
  return ::ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number) == 0;
#endif
}

}  // namespace ordeal::agent
