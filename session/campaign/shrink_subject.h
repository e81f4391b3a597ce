#pragma once
// ShrinkSubject: a stored run that is to be made smaller, and the anomaly that it must go on to show. Thread-safety:
// functions without state.

#include <string>
#include <vector>

#include "session/campaign/run_record.h"
#include "session/campaign/shrink.h"

namespace ordeal {

struct ShrinkSubject {
  std::string run;   // its directory
  std::string name;  // as the store calls it
  std::string store;
  RunRequest request;
  std::string anomaly;             // a type, or a name in plain words
  std::vector<std::string> shown;  // all that the run showed, as RunRecord::named
  RunSize size;
};

// `path`: a run's directory; `anomaly`: which one is meant, by its type or its name in plain words; empty: the one that
// was told first. Errors: not_found; input; usage, for a run that showed no anomaly, or not this one.
[[nodiscard]] Result<ShrinkSubject> shrink_subject(const std::string& path, const std::string& anomaly);

// Whether a run showed it, whatever else it showed.
[[nodiscard]] bool shows(const RunRecord& record, const std::string& anomaly);

}  // namespace ordeal
