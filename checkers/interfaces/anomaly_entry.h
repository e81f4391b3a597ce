#pragma once
// The name of an anomaly and what it means, as each checker lists its own beside its code. Thread-safety: a value.

#include <string>

namespace ordeal {

struct AnomalyEntry {
  std::string name;  // Anomaly::type
  std::string help;  // one line
};

}  // namespace ordeal
