// wgl: depth first (Wing and Gong, 1993, with Lowe's memory of what was seen): linearize operations one after the
// other, and go back when one returns that cannot be. The nodes are the same configurations as in jit.cc, so what is
// remembered of a node follows the concurrency; the memory of all nodes grows with the search. It finds a witness
// quickly where there are many, and there the breadth of jit would be in the way.
// Tested by lin_search_property_test against the oracle and all other algorithms.

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/search/witness.h"

namespace ordeal::lin {
namespace {

using Word = Space::Word;

class Wgl {
 public:
  Wgl(const KeyHistory& history, Budget& budget, bool want_order)
      : history_(history),
        budget_(budget),
        charge_(budget),
        space_(history, budget),
        want_order_(want_order),
        stride_(space_.stride() + 1),
        seen_(0, Hash{this}, Equal{this}) {}

  Decision run() {
    const auto& events = space_.prepared.events;
    push(space_.initial().data(), 0, 0, kNoOp);
    std::vector<Word> c(space_.stride());
    while (!stack_.empty()) {
      Frame& top = stack_.back();
      if (top.done) {
        if (top.op != kNoOp) path_.pop_back();
        words_.resize(words_.size() - space_.stride());
        stack_.pop_back();
        continue;
      }
      top.done = true;
      if (top.op != kNoOp) path_.push_back({top.op, top.at});
      std::copy_n(words_.end() - static_cast<std::ptrdiff_t>(space_.stride()), space_.stride(), c.begin());
      move_to(top.event);
      if (++decision_.steps % 64 == 0) {
        if (budget_.out_of_time()) return give_up(budget_.reason());
        if (!charge_.now(bytes())) return give_up("the memory limit was reached");
      }
      advance(c);
      furthest_ = std::max(furthest_, at_);
      if (at_ == events.size()) {
        decision_.verdict = Verdict::valid;
        if (want_order_) decision_.order = full_order(space_, path_);
        return decision_;
      }
      if (!remember(c)) continue;
      branch(c);
    }
    decision_.verdict = Verdict::invalid;
    decision_.failed_at = space_.prepared.calls[events[furthest_].call].ret;
    return decision_;
  }

 private:
  static constexpr std::uint32_t kNoOp = 0xFFFFFFFFu;
  struct Frame {
    std::uint32_t event;  // events[0, event) are behind it
    std::uint32_t op;     // what was linearized to get here
    std::uint32_t at;     // and at which event
    bool done = false;    // its children are above it on the stack, or were
  };

  // Walks on over events at which there is no choice.
  void advance(std::vector<Word>& c) {
    const auto& events = space_.prepared.events;
    while (at_ < events.size()) {
      const CallIndex call = events[at_].call;
      if (!events[at_].is_return) {
        space_.open(call);
        space_.absorb_opened(c.data(), call);
      } else {
        const std::size_t slot = space_.prepared.slot_of[call];
        const bool pure = (space_.prepared.traits[space_.prepared.class_of[call]] & kPure) != 0;
        if (!space_.is_linearized(c.data(), slot) && !(pure && space_.is_absorbed(c.data(), slot))) return;
        space_.clear(c.data(), slot);
        space_.close(call);
      }
      ++at_;
    }
  }

  // Pushes what may come next, the most promising last.
  void branch(const std::vector<Word>& c) {
    const CallIndex call = space_.prepared.events[at_].call;
    const std::size_t slot = space_.prepared.slot_of[call];
    const std::size_t first = stack_.size();
    space_.expand(c.data(), call, [&](const Word* child, std::uint32_t op) { push(child, at_, at_, op); });
    // expand() names crashed operations last; they are a last resort and belong at the bottom.
    reverse_from(first);
    space_.linearize(c.data(), call, [&](const Word* child, std::uint32_t op) {
      std::vector<Word> after(child, child + space_.stride());
      space_.clear(after.data(), slot);
      push(after.data(), at_ + 1, at_, op);
    });
    if (space_.is_absorbed(c.data(), slot)) {
      std::vector<Word> after = c;
      space_.clear(after.data(), slot);
      push(after.data(), at_ + 1, at_, kNoOp);
    }
  }

  void reverse_from(std::size_t first) {
    std::reverse(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
    const std::size_t n = space_.stride();
    for (std::size_t i = first, j = stack_.size(); i + 1 < j; ++i) {
      --j;
      std::swap_ranges(words_.begin() + static_cast<std::ptrdiff_t>(i * n),
                       words_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n),
                       words_.begin() + static_cast<std::ptrdiff_t>(j * n));
    }
  }

  void push(const Word* c, std::uint32_t event, std::uint32_t at, std::uint32_t op) {
    words_.insert(words_.end(), c, c + space_.stride());
    stack_.push_back({event, op, at});
  }

  // Brings the view of open calls to where events[0, event) are behind it.
  void move_to(std::uint32_t event) {
    const auto& events = space_.prepared.events;
    for (; at_ < event; ++at_) events[at_].is_return ? space_.close(events[at_].call) : space_.open(events[at_].call);
    while (at_ > event) {
      --at_;
      events[at_].is_return ? space_.reopen(events[at_].call) : space_.unopen(events[at_].call);
    }
  }

  // False when this node was seen before.
  bool remember(const std::vector<Word>& c) {
    const auto place = static_cast<std::uint32_t>(memory_.size() / stride_);
    memory_.push_back(at_);
    memory_.insert(memory_.end(), c.begin(), c.end());
    if (seen_.insert(place).second) return true;
    memory_.resize(memory_.size() - stride_);
    return false;
  }
  const Word* node(std::uint32_t place) const { return memory_.data() + place * stride_; }
  struct Hash {
    const Wgl* wgl;
    std::size_t operator()(std::uint32_t place) const {
      return wgl->space_.hash(wgl->node(place) + 1) ^ wgl->node(place)[0] * 0x9e3779b97f4a7c15ULL;
    }
  };
  struct Equal {
    const Wgl* wgl;
    bool operator()(std::uint32_t x, std::uint32_t y) const {
      return std::equal(wgl->node(x), wgl->node(x) + wgl->stride_, wgl->node(y));
    }
  };

  std::size_t bytes() const {
    return (memory_.capacity() + words_.capacity()) * sizeof(Word) + stack_.capacity() * sizeof(Frame) +
           seen_.bucket_count() * 5 + path_.capacity() * sizeof(Step);
  }

  Decision give_up(std::string why) {
    const auto& events = space_.prepared.events;
    const CallIndex call = events[std::min<std::size_t>(furthest_, events.size() - 1)].call;
    decision_.verdict = Verdict::unknown;
    decision_.reason =
        std::move(why) + " at event " + std::to_string(history_.history->index(space_.prepared.calls[call].inv)) +
        " (" + std::to_string(furthest_) + " of the key's " + std::to_string(events.size()) + " events explained)";
    return decision_;
  }

  const KeyHistory& history_;
  Budget& budget_;
  Charge charge_;
  Space space_;
  bool want_order_;
  std::size_t stride_;
  std::vector<Frame> stack_;
  std::vector<Word> words_;  // by frame
  std::vector<Step> path_;
  std::vector<Word> memory_;  // event, configuration
  boost::unordered_flat_set<std::uint32_t, Hash, Equal> seen_;
  std::uint32_t at_ = 0, furthest_ = 0;
  Decision decision_;
};

class WglStrategy final : public Strategy {
 public:
  std::string_view name() const override { return "wgl"; }
  std::string objection(const KeyHistory&) const override { return ""; }
  Decision decide(const KeyHistory& history, Budget& budget, bool want_order) const override {
    return Wgl(history, budget, want_order).run();
  }
};

}  // namespace

std::unique_ptr<Strategy> wgl_strategy() { return std::make_unique<WglStrategy>(); }

}  // namespace ordeal::lin
