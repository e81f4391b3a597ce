#pragma once
// What the models of this room share: names of functions, and how malformed operations are reported.
// Thread-safety: as Model.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkers/linearizability/models/model.h"

namespace ordeal::lin {

class ModelBase : public Model {
 public:
  [[nodiscard]] std::string_view name() const override { return name_; }

 protected:
  // What the values of a function's events mean, as far as every model handles it alike.
  enum class Holds {
    asked,    // invocation and ok completion both hold what was asked for, where they hold something
    returned  // the ok completion holds what was returned, and must hold something, be it nil
  };
  struct Function {
    std::string_view f;
    std::uint8_t code;
    std::optional<Holds> holds = std::nullopt;  // none: the model looks at the values itself, or at none
  };
  // `functions` lists what the model knows, with aliases; the first spelling of each code is the one in messages.
  ModelBase(std::string name, const History& history, std::initializer_list<Function> functions);

  static constexpr std::uint8_t kNoCode = 0xFF;
  // kNoCode when the model does not know the operation's f.
  [[nodiscard]] std::uint8_t code_of(OperationEvents op) const { return codes_[history_.f(op.invocation)]; }
  [[nodiscard]] tl::unexpected<Error> does_not_know(OperationEvents op) const;
  // Why an operation of one of the functions proves nothing: it is not known, an ok completion contradicts its
  // invocation, or what it returned was not recorded. Empty: go on. To be asked first in parse().
  [[nodiscard]] std::optional<Error> objection(OperationEvents op) const;
  [[nodiscard]] Error not_recorded(OperationEvents op) const;
  [[nodiscard]] Error contradiction(OperationEvents op) const;
  // "event 7: the model queue expects …, found …".
  [[nodiscard]] tl::unexpected<Error> malformed(OperationEvents op, std::string_view expected) const;

  // What was asked for: the invocation's value, or the completion's when the invocation has none. nil when absent.
  [[nodiscard]] ValueId argument(OperationEvents op) const;
  // What an ok operation returned: the completion's value, or nil.
  [[nodiscard]] ValueId result(OperationEvents op) const;
  [[nodiscard]] bool is_ok(OperationEvents op) const { return history_.outcome(op) == EventType::ok; }
  [[nodiscard]] const ValueTable& values() const { return history_.values(); }
  [[nodiscard]] std::string text(std::int64_t value) const;

  const History& history_;

 private:
  std::string name_;
  std::vector<std::uint8_t> codes_;          // by FunctionId
  std::vector<std::optional<Holds>> holds_;  // by FunctionId
  std::string known_;
};

// 64-bit numbers in states.
inline void push_number(State& state, std::int64_t n) {
  state.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(n)));
  state.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(n) >> 32));
}
inline std::int64_t number_at(const State& state, std::size_t i) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(state[i]) | static_cast<std::uint64_t>(state[i + 1])
                                                                              << 32);
}

// A string in a state: its length in bytes, then four bytes a word.
inline void push_string(State& state, std::string_view text) {
  std::size_t at = state.size() + 1;
  state.push_back(static_cast<std::uint32_t>(text.size()));
  state.resize(at + (text.size() + 3) / 4);
  for (std::size_t i = 0; i < text.size(); ++i)
    state[at + i / 4] |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << (8 * (i % 4));
}
[[nodiscard]] inline std::string string_at(const State& state, std::size_t at) {
  std::string out(state[at], '\0');
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<char>(state[at + 1 + i / 4] >> (8 * (i % 4)) & 0xFF);
  return out;
}

// The makers, one a family; models.cc lists them. Each returns an error of code usage for a bad --initial.
using MadeModel = Result<std::unique_ptr<Model>>;
[[nodiscard]] MadeModel make_register(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_versioned_register(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_multi_register(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_kv(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_counter(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_unique_ids(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_set(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_log(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_queue(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_lock(std::string_view name, const History&, const CheckOptions&);
[[nodiscard]] MadeModel make_table(std::string_view name, const History&, const CheckOptions&);

// Error of code usage: the model needs a known initial value, or one of another kind.
[[nodiscard]] tl::unexpected<Error> bad_initial(std::string_view model, std::string_view expected,
                                                const CheckOptions& options);

}  // namespace ordeal::lin
