// Keys, signed notes and checkpoints against the published examples (the note of Go's sumdb/note package, the
// checkpoint and the note that C2SP's specifications show), the key ring's rules, and what hostile notes look like.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"
#include "targets/log/server/tree/key_ring.h"

namespace ordeal::log::tree {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVerifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* kSigner = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr const char* kText =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
constexpr const char* kSignature =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(NoteVectors, PublishedNoteIsMadeAndRead) {
  const auto key = SigningKey::parse(kSigner);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->verifier().text(), kVerifier);
  EXPECT_EQ(key->secret_text(), kSigner);
  Note note{kText, {}};
  sign(note, *key);
  const std::string message = std::string(kText) + '\n' + kSignature;
  EXPECT_EQ(format_note(note), message);
  const auto parsed = parse_note(message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, note);
  const auto verifier = VerifierKey::parse(kVerifier);
  ASSERT_TRUE(verifier);
  EXPECT_TRUE(verifier->verify(parsed->text, parsed->signatures[0].bytes));
  EXPECT_FALSE(verifier->verify("If" + parsed->text, parsed->signatures[0].bytes));
}

TEST(NoteVectors, ExamplesOfTheSpecificationsParse) {
  const auto checkpoint_note = parse_note(
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
      "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n");
  ASSERT_TRUE(checkpoint_note);
  const auto checkpoint = parse_checkpoint(checkpoint_note->text);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->origin, "example.com/behind-the-sofa");
  EXPECT_EQ(checkpoint->size, 20852163U);
  EXPECT_EQ(base64(checkpoint->root), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
  EXPECT_EQ(format_checkpoint(*checkpoint), checkpoint_note->text);
  // A text with an empty line: the last one parts it from the signatures.
  const auto poem = parse_note(
      "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \xc3\xa8 subito sera.\n\n"
      "\xe2\x80\x94 quasimodo.example/salvatore "
      "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99"
      "ihAQwaqP3ZekRwNtIc=\n");
  ASSERT_TRUE(poem);
  EXPECT_THAT(poem->text, ::testing::EndsWith("ed \xc3\xa8 subito sera.\n"));
}

TEST(Notes, HostileOnesAreRefused) {
  const std::string good = std::string(kText) + '\n' + kSignature;
  const auto with = [&](const std::string& signature) { return std::string(kText) + '\n' + signature; };
  for (const std::string& wrong :
       {std::string(), std::string("\n"), std::string("\n\n"), std::string(kText), good.substr(0, good.size() - 1),
        good + "\n", good + "x", "a\rb" + good, "\xff" + good, std::string("\0", 1) + good, "\x1b[31m" + good,
        with("PeterNeumann x08go/ZJ\n"), with("\xe2\x80\x94 PeterNeumann\n"),
        with("\xe2\x80\x94 PeterNeumann x08gow==\n"), with("\xe2\x80\x94 Peter+Neumann x08go/ZJ\n"),
        with("\xe2\x80\x94  x08go/ZJ\n"), with("\xe2\x80\x94 Peter\xc2\xa0Neumann x08go/ZJ\n"),
        with("\xe2\x80\x94 PeterNeumann x08go/ZJ x\n"), with("- PeterNeumann x08go/ZJ\n")}) {
    const auto parsed = parse_note(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::input);
  }
  std::string many = good;
  for (std::size_t i = 0; i < kMaxSignatures; ++i) many += kSignature;
  EXPECT_FALSE(parse_note(many));
  EXPECT_FALSE(parse_note(std::string(kMaxNoteBytes, 'a') + "\n\n" + kSignature));
}

TEST(Keys, OthersAreRefused) {
  for (const char* wrong :
       {"", "a", "a+b", "a+b+c", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", kSigner}) {
    EXPECT_FALSE(VerifierKey::parse(wrong)) << wrong;
  }
  const auto refused =
      SigningKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::Not(HasSubstr("AYEK"))) << "a secret is never quoted";
}

TEST(Checkpoints, OthersAreRefused) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  EXPECT_TRUE(parse_checkpoint("o\n0\n" + root + "\n"));
  EXPECT_TRUE(parse_checkpoint("o\n18446744073709551615\n" + root + "\nmore\n"));
  for (const std::string& wrong :
       {"o\n00\n" + root + "\n", "o\n-1\n" + root + "\n", "o\n+1\n" + root + "\n", "o\n1 \n" + root + "\n",
        "o\n18446744073709551616\n" + root + "\n", "\n1\n" + root + "\n", "o\n1\n" + root, "o\n1\n" + root + "\n\nx\n",
        "o\n1\n" + root.substr(4) + "\n", std::string("o\n1\n"), std::string()}) {
    EXPECT_FALSE(parse_checkpoint(wrong)) << wrong;
  }
}

// Keys of seeds 1, 2, 3, … for the log "log.example".
SigningKey key(std::uint8_t seed, const std::string& name = "log.example") {
  std::array<std::uint8_t, 32> bytes{};
  bytes[0] = seed;
  return {name, bytes};
}

std::string head(std::uint64_t size, const std::vector<const SigningKey*>& keys,
                 const std::string& origin = "log.example") {
  return sign_checkpoint({origin, size, empty_root(), {}}, keys);
}

std::string change(KeyChange what, const SigningKey& signer, const std::string& origin = "log.example") {
  what.origin = origin;
  Note note{format_key_change(what), {}};
  sign(note, signer);
  return format_note(note);
}

KeyChange adding(const SigningKey& added) { return {KeyChange::Kind::add, "", added.verifier(), "", 0}; }
KeyChange ending(KeyChange::Kind kind, const SigningKey& ended, std::uint64_t last = 0) {
  return {kind, "", std::nullopt, ended.verifier().label(), last};
}

TEST(KeyRing, BelievesItsOwnKeysOnly) {
  const SigningKey ours = key(1), other = key(2);
  const KeyRing ring("log.example", {ours.verifier()});
  EXPECT_EQ(ring.open(head(5, {&ours}))->size, 5U);
  EXPECT_TRUE(ring.open(head(5, {&other, &ours}))) << "unknown signatures are ignored";
  EXPECT_EQ(ring.open(head(5, {&other})).error().code, ErrorCode::permission);
  EXPECT_EQ(ring.open(head(5, {&ours}, "other.example")).error().code, ErrorCode::input);
  std::string spoilt = head(5, {&ours});
  spoilt.replace(spoilt.find("5\n"), 1, "6");
  EXPECT_THAT(ring.open(spoilt).error().message, HasSubstr("is wrong"));
}

TEST(KeyRing, RotationWithOverlap) {
  const SigningKey old_key = key(1), new_key = key(2);
  KeyRing ring("log.example", {old_key.verifier()});
  EXPECT_FALSE(ring.open(head(11, {&new_key})));
  ASSERT_TRUE(ring.apply(change(adding(new_key), old_key), 10));
  EXPECT_TRUE(ring.open(head(11, {&new_key})));
  EXPECT_FALSE(ring.open(head(10, {&new_key}))) << "heads from before it was added are none of its";
  EXPECT_TRUE(ring.open(head(20, {&old_key}))) << "overlap";
  ASSERT_TRUE(ring.apply(change(ending(KeyChange::Kind::retire, old_key, 30), old_key), 25));
  EXPECT_TRUE(ring.open(head(30, {&old_key})));
  EXPECT_FALSE(ring.open(head(31, {&old_key})));
  EXPECT_TRUE(ring.open(head(31, {&old_key, &new_key})));
}

TEST(KeyRing, RevokedKeySignsNothingOfWhateverSize) {
  const SigningKey root = key(1), stolen = key(2), next = key(3);
  KeyRing ring("log.example", {root.verifier(), stolen.verifier()});
  EXPECT_TRUE(ring.open(head(7, {&stolen})));
  ASSERT_TRUE(ring.apply(change(adding(next), root), 8));
  ASSERT_TRUE(ring.apply(change(ending(KeyChange::Kind::revoke, stolen), root), 9));
  for (const std::uint64_t size : {1, 7, 100}) {
    const auto refused = ring.open(head(size, {&stolen}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::permission);
    EXPECT_THAT(refused.error().message, HasSubstr("which was revoked"));
  }
  EXPECT_TRUE(ring.open(head(100, {&stolen, &next}))) << "the other signature is good";
  EXPECT_FALSE(ring.apply(change(adding(stolen), root), 10)) << "a key that is gone does not come back";
  EXPECT_FALSE(ring.apply(change(adding(key(4)), stolen), 11)) << "nor does it change keys";
}

TEST(KeyRing, WhoMayChangeKeys) {
  const SigningKey root = key(1), signer = key(2), later = key(3), stranger = key(9);
  KeyRing ring("log.example", {root.verifier(), signer.verifier()});
  EXPECT_EQ(ring.apply(change(adding(later), stranger), 1).error().code, ErrorCode::permission);
  EXPECT_EQ(ring.apply(change(adding(later), root, "other.example"), 1).error().code, ErrorCode::input) << "a replay";
  ASSERT_TRUE(ring.apply(change(adding(later), signer), 1));
  EXPECT_EQ(ring.apply(change(ending(KeyChange::Kind::revoke, root), later), 2).error().code, ErrorCode::permission);
  EXPECT_EQ(ring.apply(change(ending(KeyChange::Kind::revoke, signer), later), 2).error().code, ErrorCode::permission);
  ASSERT_TRUE(ring.apply(change(ending(KeyChange::Kind::revoke, later), later), 3)) << "itself it may";
  ASSERT_TRUE(ring.apply(change(ending(KeyChange::Kind::revoke, signer), root), 4));
  EXPECT_FALSE(ring.apply(change(ending(KeyChange::Kind::revoke, root), root), 5)) << "one must remain";
  EXPECT_FALSE(ring.apply(change(ending(KeyChange::Kind::retire, root, 9), root), 5)) << "one must remain";
  std::string spoilt = change(adding(key(5)), root);
  spoilt.replace(spoilt.find("add "), 4, "Add ");
  EXPECT_FALSE(ring.apply(spoilt, 6));
  for (const char* wrong : {"", "ordeal-log keys\n", "ordeal-log keys\no\nadd x\n", "ordeal-log keys\no\nretire k\n",
                            "ordeal-log keys\no\nrevoke\n", "ordeal-log keys\no\nrevoke k\nx\n", "x\no\nrevoke k\n"}) {
    EXPECT_EQ(parse_key_change(wrong).error().code, ErrorCode::input) << wrong;
  }
  EXPECT_TRUE(is_key_change(change(adding(key(5)), root)));
  EXPECT_FALSE(is_key_change("ordeal-log keysx\n"));
}

}  // namespace
}  // namespace ordeal::log::tree
