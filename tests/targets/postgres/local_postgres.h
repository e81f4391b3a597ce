#pragma once
// A PostgreSQL server of this machine for tests, below a temporary directory, controlled through ShellNode.

#include <memory>
#include <string>

#include "base/options.h"
#include "harness/interfaces/target.h"
#include "tests/targets/shell_node.h"

namespace ordeal::testing {

inline constexpr const char* kPostgresBin = "/usr/lib/postgresql/15/bin";

class LocalPostgres {
 public:
  explicit LocalPostgres(std::size_t nodes = 1);
  ~LocalPostgres();
  LocalPostgres(const LocalPostgres&) = delete;
  LocalPostgres& operator=(const LocalPostgres&) = delete;

  // Whether the programs are on this machine.
  [[nodiscard]] static bool installed();
  void set(const char* key, const std::string& value);
  // Makes the target with what was set until now.
  Target& target();
  // Starts all nodes, waits until they serve, makes the tables of the data type.
  void start(const std::string& data_type);
  [[nodiscard]] std::unique_ptr<Client> client(std::size_t node = 0);
  [[nodiscard]] Node& node(std::size_t i = 0) { return cluster_.at(i); }
  [[nodiscard]] int port() const { return port_; }

 private:
  std::string directory_;
  int port_;
  Options options_;
  Cluster cluster_;
  std::unique_ptr<AtEnd> clean_up_;
  std::unique_ptr<Target> target_;
};

}  // namespace ordeal::testing
