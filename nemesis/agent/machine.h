#pragma once
// Machine: what differs between processors in stopping, steering and patching a process.

#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <elf.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace ordeal::agent {

#if defined(__x86_64__)

using Registers = user_regs_struct;

inline constexpr std::array<unsigned char, 2> kSystemCall = {0x0f, 0x05};

inline std::uint64_t program_counter(const Registers& r) { return r.rip; }
inline std::uint64_t stack_pointer(const Registers& r) { return r.rsp; }
inline long returned(const Registers& r) { return static_cast<long>(r.rax); }

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

#elif defined(__aarch64__)

using Registers = user_regs_struct;

inline constexpr std::array<unsigned char, 4> kSystemCall = {0x01, 0x00, 0x00, 0xd4};

inline std::uint64_t program_counter(const Registers& r) { return r.pc; }
inline std::uint64_t stack_pointer(const Registers& r) { return r.sp; }
inline long returned(const Registers& r) { return static_cast<long>(r.regs[0]); }

inline long returned_before_entry(const Registers& r) { return returned(r); }

inline void prepare_system_call(Registers& r, std::uint64_t at, long number, const std::array<std::uint64_t, 6>& a) {
  r.pc = at;
  r.regs[8] = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < a.size(); ++i) r.regs[i] = a[i];
}

inline std::uint64_t prepare_call(Registers& r, std::uint64_t function, std::uint64_t first, std::uint64_t second,
                                  std::uint64_t stack, std::uint64_t return_to) {
  r.pc = function;
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
