#pragma once
// Everything that is read from files, command lines, nodes and the network, beside histories (fuzz_history.h): a name,
// a valid sample, and what reads it. inputs_main.cc gives them to libFuzzer, parsers_test.cc spoils the samples.
//
// Thread-safety: one thread.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace ordeal::testing {

// Why a text was refused; nothing: it was not.
using Refusal = std::optional<Error>;

struct FuzzedInput {
  const char* name;
  std::string sample;
  std::function<Refusal(const std::string&)> parse;
  bool total = false;  // refuses nothing that one would write
};

[[nodiscard]] const std::vector<FuzzedInput>& fuzzed_inputs();

// What is wrong with how a text was refused; empty: nothing.
[[nodiscard]] std::string complaint(const Refusal& refused);

}  // namespace ordeal::testing
