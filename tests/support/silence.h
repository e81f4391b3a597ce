#pragma once
// An observer of a run that says nothing and keeps the remarks and stages. Thread-safety: as RunObserver.

#include <mutex>
#include <string>
#include <vector>

#include "session/observer.h"

namespace ordeal::testing {

class Silence final : public RunObserver {
 public:
  void remark(std::string_view line) override {
    const std::lock_guard lock(mutex_);
    remarks_.emplace_back(line);
  }
  void stage(std::string_view what) override { stages_.emplace_back(what); }
  void progress(const Progress&) override {}
  // What was done after the clients, in order.
  [[nodiscard]] const std::vector<std::string>& stages() const { return stages_; }
  [[nodiscard]] std::string remarks() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& line : remarks_) all += line + "\n";
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> remarks_;  // guarded by mutex_
  std::vector<std::string> stages_;
};

}  // namespace ordeal::testing
