#pragma once
// The codes and the two words of Operation, model by model, for algorithms made for one model.
//
// Value ids are those of the history's table; kUnknown stands for a result nobody knows (a crashed operation's).

#include <cstdint>

namespace ordeal::lin {

inline constexpr std::int64_t kUnknown = -1;

// register, cas-register, multi-register with one key an operation: a = value read or written; cas: a = from, b = to.
namespace reg {
inline constexpr std::uint8_t kRead = 0, kWrite = 1, kCas = 2;
}
// versioned-register: a = the value read or written, cas: from << 32 | to; b = the version, or kUnknown.

// kv: a = the string, kNil for the empty one where nil was got.
namespace str {
inline constexpr std::uint8_t kGet = 0, kPut = 1, kAppend = 2;
}

// counter, fetch-add: a = delta, or the number read; fetch-add: a = delta, b = the old number (unknown when crashed:
// then `crashed` is set and b is 0).
namespace counter {
inline constexpr std::uint8_t kRead = 0, kAdd = 1, kFetchAdd = 2;
}

// set: a = element (add, remove), or the list that was read; contains: a = element, b = 1 when it was there, else 0.
namespace set {
inline constexpr std::uint8_t kRead = 0, kAdd = 1, kRemove = 2, kContains = 3;
}

// log: a = element appended, or the list that was read; b = the offset that was read from.
namespace log {
inline constexpr std::uint8_t kRead = 0, kAppend = 1;
}

// queue, unordered-queue, stack, priority-queue: a = element; take: a = element, kNil when it was found empty,
// kUnknown when crashed.
namespace queue {
inline constexpr std::uint8_t kPut = 0, kTake = 1;
}

// mutex, mutex-owner, reentrant-mutex, fenced-mutex, semaphore-N: process is set where owners matter;
// fenced acquire: a = the token, kUnknown when crashed.
namespace lock {
inline constexpr std::uint8_t kAcquire = 0, kRelease = 1;
}

// unique-ids: a = the id.
namespace ids {
inline constexpr std::uint8_t kGenerate = 0;
}

}  // namespace ordeal::lin
