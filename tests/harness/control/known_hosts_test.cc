// known_hosts, key files and what a server says first. Files are made by ssh-keygen, the authority on their format.

#include "harness/control/known_hosts.h"
#include "base/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "harness/control/key_file.h"
#include "harness/control/server_hello.h"
#include "tests/harness/control/sshd.h"

namespace ordeal {
namespace {

using ordeal::testing::make_key;
using ordeal::testing::read_file;
using ordeal::testing::run_program;
using ordeal::testing::TempDir;
using ordeal::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Verdict = KnownHostsAnswer::Verdict;

// A key blob of this type with contents that differ by `seed`.
std::string blob(const std::string& type, char seed) {
  const auto with_length = [](const std::string& text) {
    std::string out(3, '\0');
    return out + static_cast<char>(text.size()) + text;
  };
  return with_length(type) + with_length(std::string(32, seed));
}

std::string line(const std::string& hosts, const std::string& type, char seed) {
  return hosts + " " + type + " " + base64_encode(blob(type, seed)) + " comment\n";
}

const std::string kEd = "ssh-ed25519";
const std::string kEc = "ecdsa-sha2-nistp256";

KnownHostsAnswer ask(const std::string& text, const std::string& host, int port, const std::string& type, char seed) {
  KnownHosts known;
  known.add(text, "kh");
  return known.check(host, port, type, blob(type, seed));
}

TEST(KnownHosts, MatchUnknownAndChangedSayWhere) {
  const std::string text = "# comment\n\n" + line("a,b", kEd, 'x');
  EXPECT_EQ(ask(text, "a", 22, kEd, 'x').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "B", 22, kEd, 'x').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "c", 22, kEd, 'x').verdict, Verdict::unknown);
  const auto changed = ask(text, "b", 22, kEd, 'y');
  EXPECT_EQ(changed.verdict, Verdict::changed);
  EXPECT_EQ(changed.place, "kh:3");
}

TEST(KnownHosts, AnotherPortIsAnotherHost) {
  const std::string text = line("[a]:2222", kEd, 'x') + line("a", kEd, 'y');
  EXPECT_EQ(ask(text, "a", 2222, kEd, 'x').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "a", 22, kEd, 'y').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "a", 2222, kEd, 'y').verdict, Verdict::changed);
  EXPECT_EQ(ask(text, "a", 2223, kEd, 'x').verdict, Verdict::unknown);
}

TEST(KnownHosts, SeveralKeysOfOneHost) {
  const std::string text = line("a", kEd, 'x') + line("a", kEd, 'y') + line("a", kEc, 'z');
  EXPECT_EQ(ask(text, "a", 22, kEd, 'x').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "a", 22, kEd, 'y').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "a", 22, kEd, 'z').verdict, Verdict::changed);
  KnownHosts known;
  known.add(text, "kh");
  EXPECT_THAT(known.types_of("a", 22), ElementsAre(kEd, kEd, kEc));
}

TEST(KnownHosts, AKeyOfAnotherTypeOnlyIsNoMatch) {
  const auto answer = ask(line("a", kEc, 'x'), "a", 22, kEd, 'x');
  EXPECT_EQ(answer.verdict, Verdict::other_type);
  EXPECT_EQ(answer.place, "kh:1");
}

TEST(KnownHosts, PatternsAndNegation) {
  const std::string text = line("*.x,!bad.x", kEd, 'x');
  EXPECT_EQ(ask(text, "good.x", 22, kEd, 'x').verdict, Verdict::match);
  EXPECT_EQ(ask(text, "bad.x", 22, kEd, 'x').verdict, Verdict::unknown);
}

TEST(KnownHosts, RevokedBeatsMatch) {
  const std::string text = line("a", kEd, 'x') + "@revoked " + line("*", kEd, 'x');
  const auto answer = ask(text, "a", 22, kEd, 'x');
  EXPECT_EQ(answer.verdict, Verdict::revoked);
  EXPECT_EQ(answer.place, "kh:2");
  EXPECT_EQ(ask("@revoked " + line("*", kEd, 'x'), "a", 22, kEd, 'y').verdict, Verdict::unknown);
}

TEST(KnownHosts, LinesThatCannotBeUsedDoNotHideOthers) {
  const std::string text = "a\na ssh-ed25519\na ssh-ed25519 !!!\na ssh-rsa " + base64_encode(blob(kEd, 'q')) +
                           "\n@cert-authority " + line("a", kEd, 'q') + "|1|broken ssh-ed25519 AAAA\n" +
                           line("a", "ssh-future@example.com", 'f') + line("a", kEd, 'x');
  EXPECT_EQ(ask(text, "a", 22, kEd, 'x').verdict, Verdict::match);
}

TEST(KnownHosts, HashedNamesAsSshKeygenWritesThem) {
  const TempDir dir;
  write_file(dir / "kh", line("host-a", kEd, 'x') + line("[host-a]:2222", kEd, 'y') + line("::1", kEd, 'z'));
  run_program({"ssh-keygen", "-H", "-f", dir / "kh"});
  ASSERT_THAT(read_file(dir / "kh"), HasSubstr("|1|"));
  ASSERT_THAT(read_file(dir / "kh"), ::testing::Not(HasSubstr("host-a")));
  KnownHosts known;
  ASSERT_TRUE(known.load(dir / "kh"));
  EXPECT_EQ(known.check("host-a", 22, kEd, blob(kEd, 'x')).verdict, Verdict::match);
  EXPECT_EQ(known.check("Host-A", 2222, kEd, blob(kEd, 'y')).verdict, Verdict::match);
  EXPECT_EQ(known.check("::1", 22, kEd, blob(kEd, 'z')).verdict, Verdict::match);
  EXPECT_EQ(known.check("host-b", 22, kEd, blob(kEd, 'x')).verdict, Verdict::unknown);
}

TEST(KnownHosts, AMissingFileKnowsNobody) {
  KnownHosts known;
  EXPECT_TRUE(known.load("/nonexistent/known_hosts"));
  EXPECT_EQ(known.check("a", 22, kEd, "x").verdict, Verdict::unknown);
}

TEST(KnownHosts, AppendedLinesAreFoundBySshKeygen) {
  const TempDir dir;
  make_key(dir / "key");
  const auto key = inspect_key_file(dir / "key");
  ASSERT_TRUE(key);
  ASSERT_TRUE(append_known_host(dir / "kh", "host", 2222, key->type, key->public_blob));
  EXPECT_THAT(run_program({"ssh-keygen", "-F", "[host]:2222", "-f", dir / "kh"}), HasSubstr("found: line 1"));
  EXPECT_THAT(run_program({"ssh-keygen", "-l", "-f", dir / "key.pub"}), HasSubstr(fingerprint(key->public_blob)));
}

TEST(Wildcards, Match) {
  EXPECT_TRUE(wildcard_match("*", ""));
  EXPECT_TRUE(wildcard_match("a*b*c", "aXXbYYbc"));
  EXPECT_FALSE(wildcard_match("a*b*c", "aXXbYYb"));
  EXPECT_TRUE(wildcard_match("n?", "N1"));
  EXPECT_FALSE(wildcard_match("n?", "n"));
  EXPECT_FALSE(wildcard_match("", "x"));
}

TEST(KeyFile, TellsTypePassphraseAndPublicHalf) {
  const TempDir dir;
  make_key(dir / "plain");
  make_key(dir / "locked", "ecdsa", "secret");
  make_key(dir / "rsa", "rsa");
  run_program({"ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "secret", "-f", dir / "pem"});

  const auto plain = inspect_key_file(dir / "plain");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->type, kEd);
  EXPECT_FALSE(plain->encrypted);
  EXPECT_FALSE(plain->rsa);
  const auto expected = base64_decode(read_file(dir / "plain.pub").substr(12, 68));
  ASSERT_TRUE(expected);
  EXPECT_EQ(plain->public_blob, *expected);

  EXPECT_TRUE(inspect_key_file(dir / "locked")->encrypted);
  EXPECT_EQ(inspect_key_file(dir / "locked")->type, kEc);
  EXPECT_TRUE(inspect_key_file(dir / "rsa")->rsa);
  EXPECT_TRUE(inspect_key_file(dir / "pem")->encrypted);
  EXPECT_EQ(inspect_key_file(dir / "pem")->type, kEc) << "from pem.pub";
}

// A key with mode 0644 was used without a word.
TEST(RegressKeyFile, ThatOthersMayReadIsRefusedAsSshDoes) {
  const TempDir dir;
  make_key(dir / "key");
  for (const mode_t mode : {0644U, 0640U, 0620U, 0601U}) {
    ASSERT_EQ(::chmod((dir / "key").c_str(), mode), 0);
    const auto key = inspect_key_file(dir / "key");
    ASSERT_FALSE(key) << mode;
    EXPECT_EQ(key.error().code, ErrorCode::permission);
    EXPECT_THAT(key.error().message, HasSubstr("chmod 600"));
  }
  for (const mode_t mode : {0600U, 0400U}) {
    ASSERT_EQ(::chmod((dir / "key").c_str(), mode), 0);
    EXPECT_TRUE(inspect_key_file(dir / "key")) << mode;
  }
}

TEST(KeyFile, NamesWhatIsNotAKey) {
  const TempDir dir;
  make_key(dir / "key");
  write_file(dir / "damaged", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
  EXPECT_EQ(inspect_key_file(dir / "absent").error().code, ErrorCode::not_found);
  EXPECT_THAT(inspect_key_file(dir / "key.pub").error().message, HasSubstr("without .pub"));
  EXPECT_THAT(inspect_key_file(dir / "damaged").error().message, HasSubstr("damaged"));
}

TEST(ServerHello, ListsTheHostKeyTypes) {
  const auto name_list = [](const std::string& text) {
    return std::string(3, '\0') + static_cast<char>(text.size()) + text;
  };
  const auto hello = [&](const std::string& host_keys) {
    return "Welcome\r\nSSH-2.0-Test_1\r\n" + std::string("\0\0\1\0\4\x14", 6) + std::string(16, 'c') +
           name_list("curve25519-sha256,x") + name_list(host_keys) + name_list("aes");
  };
  const auto rsa = parse_server_hello(hello("rsa-sha2-512,rsa-sha2-256"));
  EXPECT_EQ(rsa.banner, "SSH-2.0-Test_1");
  EXPECT_THAT(rsa.host_key_types, ElementsAre("rsa-sha2-512", "rsa-sha2-256"));
  EXPECT_TRUE(rsa.offers_only_rsa());
  EXPECT_FALSE(rsa.offers_usable_host_key());
  EXPECT_TRUE(parse_server_hello(hello("rsa-sha2-512,ssh-rsa")).offers_usable_host_key());
  EXPECT_TRUE(parse_server_hello(hello(kEd)).offers_usable_host_key());
  EXPECT_EQ(parse_server_hello("HTTP/1.1 400 Bad Request\r\n").banner, "");
  // Whatever is cut off or made up must be survived.
  const std::string whole = hello("a,b");
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_LE(parse_server_hello(whole.substr(0, n)).host_key_types.size(), 2U);
  EXPECT_THAT(
      parse_server_hello("SSH-2.0-x\n" + std::string("\0\0\1\0\4\x14", 6) + std::string(40, '\xff')).host_key_types,
      ::testing::IsEmpty());
}

// The lenient decoder that was here dropped bits beyond the last byte, so that a damaged line vouched for a host.
TEST(RegressKnownHosts, ALineWhoseBase64IsDamagedVouchesForNobody) {
  std::string coded = base64_encode(blob(kEc, 'x'));
  ASSERT_TRUE(coded.ends_with('='));
  EXPECT_EQ(ask("a " + kEc + " " + coded + "\n", "a", 22, kEc, 'x').verdict, Verdict::match);
  ++coded[coded.size() - 2];
  EXPECT_EQ(ask("a " + kEc + " " + coded + "\n", "a", 22, kEc, 'x').verdict, Verdict::unknown);
}

}  // namespace
}  // namespace ordeal
