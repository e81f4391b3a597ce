// The audit against nodes that tell the truth, that lag, that stop, and that lie in every way that is known: forks,
// rewritten histories, two heads for one size, tiles of another tree, revoked and unknown keys.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "targets/log/server/tree/audit.h"

namespace ordeal::log::tree {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kOrigin = "log.example";

SigningKey key(std::uint8_t seed) { return {kOrigin, {seed}}; }

// A log of one history, which nodes show up to the size that they reached.
struct History {
  std::vector<std::string> entries;
  Tree tree;

  void grow(std::uint64_t size, const std::string& what = "entry") {
    while (tree.size() < size) add(what + ' ' + std::to_string(tree.size()));
  }
  void add(const std::string& entry) {
    entries.push_back(entry);
    tree.append(entry);
  }
  // With leaf `at` and all after it changed.
  [[nodiscard]] History forked(std::uint64_t at) const {
    History other;
    for (std::uint64_t i = 0; i < at; ++i) other.add(entries[i]);
    other.grow(tree.size(), "forged");
    return other;
  }
};

struct Shown {
  std::string name;
  const History* history;
  std::uint64_t size;
  std::vector<SigningKey> keys{key(1)};
  const History* tiles = nullptr;  // instead of its own
  bool up = true;
};

AuditedNode node(const Shown& shown) {
  return {shown.name, [shown](const std::string& path) -> Result<std::string> {
            if (!shown.up) return fail(ErrorCode::unreachable, "connection refused");
            if (path == "checkpoint") {
              std::vector<const SigningKey*> keys;
              for (const SigningKey& one : shown.keys) keys.push_back(&one);
              return sign_checkpoint({kOrigin, shown.size, shown.history->tree.root(shown.size), {}}, keys);
            }
            const History& history = shown.tiles != nullptr ? *shown.tiles : *shown.history;
            const auto tile = parse_tile_path(path);
            if (!tile || !tile_exists(*tile, history.tree.size())) return fail(ErrorCode::not_found, path);
            if (!tile->entries) return tile_bytes(history.tree, *tile);
            std::string bundle;
            for (unsigned i = 0; i < tile->width; ++i)
              add_to_bundle(bundle, history.entries[tile->index * kTileWidth + i]);
            return bundle;
          }};
}

Audit begin(const std::string& kept = "") {
  auto audit = Audit::begin(KeyRing(kOrigin, {key(1).verifier()}), kept);
  EXPECT_TRUE(audit) << audit.error().message;
  return std::move(*audit);
}

std::vector<AuditFinding> round(Audit& audit, const std::vector<Shown>& shown) {
  std::vector<AuditedNode> nodes;
  for (const Shown& one : shown) nodes.push_back(node(one));
  return audit.round(nodes);
}

std::vector<AuditFindingKind> kinds(const std::vector<AuditFinding>& findings) {
  std::vector<AuditFindingKind> out;
  for (const AuditFinding& finding : findings) out.push_back(finding.kind);
  return out;
}

// Honest nodes that grow, lag, stop and come back are never accused, whatever order they come in.
TEST(AuditProperty, HonestNodesAreNeverAccused) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    History history;
    Audit audit = begin();
    std::vector<std::uint64_t> reached(3, 0);
    std::uint64_t size = 0;
    for (int i = 0; i < 12; ++i) {
      history.grow(size += rng.below(200));
      std::vector<Shown> shown;
      for (std::size_t n = 0; n < reached.size(); ++n) {
        reached[n] += rng.below(size - reached[n] + 1);
        shown.push_back({"n" + std::to_string(n + 1), &history, reached[n], {key(1)}, nullptr, rng.chance(0.8)});
      }
      for (const AuditFinding& finding : round(audit, shown)) {
        ASSERT_FALSE(finding.proves()) << seed << ": " << finding.message;
        ASSERT_EQ(finding.kind, AuditFindingKind::unreachable);
      }
      if (rng.chance(0.3)) audit = begin(audit.kept());
    }
    EXPECT_THAT(audit.forks(), IsEmpty());
  }
}

// Two histories that part anywhere are told apart at that very leaf, whoever is asked first and however far they are.
TEST(AuditProperty, ForksAreNamedAtTheirLeaf) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    History honest;
    honest.grow(1 + rng.below(700));
    const std::uint64_t at = rng.below(honest.tree.size());
    const History forged = honest.forked(at);
    Audit audit = begin();
    std::vector<Shown> shown = {
        {"n1", &honest, at + 1 + rng.below(honest.tree.size() - at)},
        {"n2", &forged, at + 1 + rng.below(honest.tree.size() - at)},
    };
    if (rng.chance(0.5)) std::swap(shown[0], shown[1]);
    const auto findings = round(audit, shown);
    ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::forked)) << seed;
    EXPECT_EQ(findings[0].leaf, at) << findings[0].message;
    EXPECT_TRUE(findings[0].proves());
    EXPECT_EQ(audit.forks().size(), 1U) << "the evidence is kept";
  }
}

TEST(Audit, ARewrittenHistoryIsToldByTheHeadsThatWereKept) {
  History honest;
  honest.grow(500);
  Audit audit = begin();
  for (const std::uint64_t size : {100, 200, 300}) EXPECT_THAT(round(audit, {{"n1", &honest, size}}), IsEmpty());
  audit = begin(audit.kept());  // another process
  const History forged = honest.forked(250);
  const auto findings = round(audit, {{"n1", &forged, 400}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::forked));
  EXPECT_EQ(findings[0].leaf, 200U) << "nobody serves the old history: between what is known";
  EXPECT_EQ(findings[0].last_leaf, 299U);
  // Another node still serves it: the leaf itself.
  const auto exact = round(audit, {{"n1", &forged, 400}, {"n2", &honest, 450}});
  ASSERT_THAT(kinds(exact), ElementsAre(AuditFindingKind::forked));
  EXPECT_EQ(exact[0].leaf, 250U);
  EXPECT_EQ(exact[0].last_leaf, std::nullopt);
  EXPECT_THAT(exact[0].message, HasSubstr("n1"));
}

TEST(Audit, AnEquivocatingNodeIsTold) {
  History honest;
  honest.grow(64);
  const History forged = honest.forked(63);
  Audit audit = begin();
  EXPECT_THAT(round(audit, {{"n1", &honest, 64}}), IsEmpty());
  const auto findings = round(audit, {{"n1", &forged, 64}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::forked));
  EXPECT_THAT(findings[0].message, HasSubstr("64 leaves"));
}

// A node that lags is held against the others only when one serves more: then a fork of it shows.
TEST(Audit, ALaggingForkIsFoundLater) {
  History honest;
  honest.grow(300);
  const History forged = honest.forked(10);
  Audit audit = begin();
  EXPECT_THAT(round(audit, {{"n1", &honest, 200}}), IsEmpty());
  EXPECT_THAT(round(audit, {{"n2", &forged, 150}}), IsEmpty()) << "nobody can prove anything of it now";
  EXPECT_FALSE(audit.heads()[0].settled);
  audit = begin(audit.kept());
  const auto findings = round(audit, {{"n1", &honest, 250}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::forked));
  EXPECT_THAT(findings[0].message, HasSubstr("n2 showed"));
  ASSERT_EQ(audit.forks().size(), 1U);
  EXPECT_EQ(audit.forks()[0].node, "n2");
}

TEST(Audit, TilesOfAnotherTreeAreTold) {
  History honest;
  honest.grow(300);
  const History forged = honest.forked(10);
  Audit audit = begin();
  EXPECT_THAT(kinds(round(audit, {{"n1", &honest, 300, {key(1)}, &forged}})),
              ElementsAre(AuditFindingKind::wrong_tiles));
}

TEST(Audit, GoingBackIsToldAndProvesNothing) {
  History history;
  history.grow(100);
  Audit audit = begin();
  EXPECT_THAT(round(audit, {{"n1", &history, 100}}), IsEmpty());
  const auto findings = round(audit, {{"n1", &history, 90}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::went_back));
  EXPECT_FALSE(findings[0].proves()) << "it may just start";
}

std::string change(KeyChange what, const SigningKey& signer) {
  what.origin = kOrigin;
  Note note{format_key_change(what), {}};
  sign(note, signer);
  return format_note(note);
}

TEST(Audit, KeysRotateAndARevokedOneIsRefused) {
  History history;
  history.grow(50);
  history.add(change({KeyChange::Kind::add, "", key(2).verifier(), "", 0}, key(1)));
  history.grow(80);
  Audit audit = begin();
  EXPECT_THAT(kinds(round(audit, {{"n1", &history, 40, {key(2)}}})), ElementsAre(AuditFindingKind::refused_head));
  EXPECT_THAT(round(audit, {{"n1", &history, 60, {key(2)}}}), IsEmpty()) << "the log itself says so";
  audit = begin(audit.kept());
  history.add(change({KeyChange::Kind::revoke, "", std::nullopt, key(2).verifier().label(), 0}, key(1)));
  history.grow(120);
  const auto findings = round(audit, {{"n1", &history, 100, {key(2)}}, {"n2", &history, 110}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::refused_head))
      << "what n2's log says counts for n1's head";
  EXPECT_THAT(findings[0].message, HasSubstr("revoked"));
  audit = begin(audit.kept());
  EXPECT_THAT(kinds(round(audit, {{"n1", &history, 100, {key(2)}}})), ElementsAre(AuditFindingKind::refused_head));
}

// With a stolen key somebody shows a longer log without the entry that revokes it.
TEST(Audit, AForgedLogDoesNotHideTheRevocation) {
  History honest;
  honest.add(change({KeyChange::Kind::add, "", key(2).verifier(), "", 0}, key(1)));
  honest.grow(50);
  Audit audit = begin();
  EXPECT_THAT(round(audit, {{"n1", &honest, 50}}), IsEmpty());
  History forged = honest;
  forged.grow(500, "forged");
  honest.add(change({KeyChange::Kind::revoke, "", std::nullopt, key(2).verifier().label(), 0}, key(1)));
  honest.grow(100);
  (void)round(audit, {{"n2", &forged, 500, {key(2)}}});
  const auto findings = round(audit, {{"n1", &honest, 100}, {"n2", &forged, 500, {key(2)}}});
  bool refused = false;
  for (const AuditFinding& finding : findings)
    refused |= finding.kind == AuditFindingKind::refused_head && finding.node == "n2";
  EXPECT_TRUE(refused);
}

TEST(Audit, AChangeOfKeysByAStrangerChangesNothing) {
  History history;
  history.add(change({KeyChange::Kind::add, "", key(9).verifier(), "", 0}, key(9)));
  history.grow(10);
  Audit audit = begin();
  const auto findings = round(audit, {{"n1", &history, 10}});
  ASSERT_THAT(kinds(findings), ElementsAre(AuditFindingKind::bad_key_entry));
  EXPECT_EQ(findings[0].leaf, 0U);
  EXPECT_THAT(kinds(round(audit, {{"n1", &history, 10, {key(9)}}})), ElementsAre(AuditFindingKind::refused_head));
}

TEST(Audit, TheFileIsReadBackAndOthersAreRefused) {
  History history;
  history.grow(30);
  history.add(change({KeyChange::Kind::add, "", key(2).verifier(), "", 0}, key(1)));
  history.grow(300);
  Audit audit = begin();
  (void)round(audit, {{"n1", &history, 100}, {"n2", &history, 200}});
  const std::string kept = audit.kept();
  EXPECT_EQ(begin(kept).kept(), kept);
  const KeyRing ring(kOrigin, {key(1).verifier()});
  for (const std::string& wrong :
       {std::string("x"), "x\n" + kept, kept + "head x\n", kept + "what 1 n1\n", kept + "read x n1\n",
        kept + "key 1 %\n", kept + "head " + std::string("YQ==") + " n1\n", kept.substr(0, kept.size() / 2)}) {
    const auto refused = Audit::begin(ring, wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_THAT(refused.error().message, HasSubstr("of the audit's file"));
  }
}

TEST(Audit, HostileNodesDoNoHarm) {
  Rng rng(5);
  for (int i = 0; i < 300; ++i) {
    Audit audit = begin();
    const AuditedNode hostile{
        "n1", [&](const std::string& path) -> Result<std::string> {
          if (path == "checkpoint" && rng.chance(0.8)) {
            const SigningKey ours = key(1);
            return sign_checkpoint({kOrigin, rng.next() >> rng.below(64), empty_root(), {}}, {&ours});
          }
          return std::string(rng.chance(0.5) ? 8192 : rng.below(300), 'x');
        }};
    for (const AuditFinding& finding : audit.round({hostile, hostile})) EXPECT_FALSE(finding.message.empty());
  }
}

}  // namespace
}  // namespace ordeal::log::tree
