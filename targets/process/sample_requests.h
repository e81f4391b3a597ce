#pragma once
// Sample requests: for each data type of the operations' vocabulary (doc/formats.md) one request of each operation, as
// a workload would make it. Thread-safety: immutable.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ordeal {

struct SampleRequest {
  const char* f;
  const char* key;    // empty: none
  const char* value;  // JSON
};

struct SampleType {
  const char* data_type;
  std::vector<SampleRequest> requests;
};

[[nodiscard]] std::span<const SampleType> sample_types();

// Those of the types whose operations an adapter knows: of a type at least one that changes something, or the only one.
struct Sampled {
  const SampleType* type;
  std::vector<SampleRequest> requests;
};
[[nodiscard]] std::vector<Sampled> samples_of(const std::vector<std::string>& operations);

// All operations that samples are there for, each once.
[[nodiscard]] std::vector<std::string> sampled_operations();

// The operations that no sample is there for.
[[nodiscard]] std::vector<std::string> without_sample(const std::vector<std::string>& operations);

}  // namespace ordeal
