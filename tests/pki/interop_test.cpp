#include "pki/issue.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdlib.h>

// What was minted here, shown to programs that share no code with the judges: openssl with every
// strictness it has, and GnuTLS.

namespace meshtrust::pki {
namespace {

namespace fs = std::filesystem;
using testing::CountingRandom;
using testing::kNow;
using testing::wanted_ca;

struct Ran {
  int status = -1;
  std::string output;
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");  // NOLINT(cert-env33-c): words of this test
  MESHTRUST_CHECK(pipe != nullptr);
  std::array<char, 4096> buffer{};
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) {
    ran.output.append(buffer.data(), got);
  }
  ran.status = pclose(pipe);
  return ran;
}

bool has_program(const std::string& name) {
  return run("command -v " + name).status == 0;
}

/// A folder of its own that goes with the test.
class Interop : public ::testing::TestWithParam<KeyAlgorithm> {
 protected:
  Interop() {
    std::string pattern = (fs::temp_directory_path() / "meshtrust-pki-XXXXXX").string();
    MESHTRUST_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~Interop() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return (folder_ / name).string();
  }

  CountingRandom random;
  fs::path folder_;
};

TEST_P(Interop, IsAcceptedByOpensslAtItsStrictest) {
  if (!has_program("openssl")) GTEST_SKIP() << "openssl is not installed";
  const auto root_key = PrivateKey::generate(GetParam());
  const auto root = issue_root(wanted_ca("O=Shop,CN=Root"), *root_key, random);
  const auto key = PrivateKey::generate(GetParam());
  const auto east = issue_intermediate(wanted_ca("O=Shop,CN=east", base::days(730)),
                                       key->public_key(), *root, *root_key, random);
  ASSERT_TRUE(root && east);
  const std::string root_file = write("root.pem", root->pem());
  const std::string east_file = write("east.pem", east->pem());
  const std::string at = std::to_string(kNow.time_since_epoch().count());
  const Ran ran =
      run("openssl verify -x509_strict -check_ss_sig -policy_check -auth_level 2 -attime " + at +
          " -CAfile " + root_file + " " + east_file);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, east_file + ": OK\n");
}

TEST_P(Interop, IsAcceptedByGnutls) {
  if (!has_program("certtool")) GTEST_SKIP() << "certtool is not installed";
  // certtool knows the wall clock only, so these are valid from 2020 to 2090.
  const base::Instant begin = kNow - base::days(3650);
  const base::Seconds lifetime = base::days(25'000);
  const auto root_key = PrivateKey::generate(GetParam());
  const auto root = issue_root(wanted_ca("O=Shop,CN=Root", lifetime, begin), *root_key, random);
  const auto key = PrivateKey::generate(GetParam());
  const auto east = issue_intermediate(wanted_ca("O=Shop,CN=east", lifetime, begin),
                                       key->public_key(), *root, *root_key, random);
  ASSERT_TRUE(root && east);
  const std::string root_file = write("root.pem", root->pem());
  const std::string east_file = write("east.pem", east->pem());
  const Ran ran = run("certtool --verify --verify-profile=medium --load-ca-certificate " +
                      root_file + " --infile " + east_file);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, ::testing::HasSubstr("Verified. The certificate is trusted."));
}

TEST_P(Interop, KeysOpenWithTheOpensslProgram) {
  if (!has_program("openssl")) GTEST_SKIP() << "openssl is not installed";
  const auto key = PrivateKey::generate(GetParam());
  ASSERT_TRUE(key);
  const auto clear = key->to_pem();
  const std::string file = write("key.pem", *key->encrypt(base::Secret("pass word")));
  const Ran ran = run("openssl pkey -passin 'pass:pass word' -in " + file);
  EXPECT_EQ(ran.output, std::string(base::reveal(*clear, "test")));
}

INSTANTIATE_TEST_SUITE_P(
    Pki,
    Interop,
    ::testing::Values(KeyAlgorithm::kRsa2048, KeyAlgorithm::kEcdsaP256, KeyAlgorithm::kEcdsaP384),
    [](const auto& test) {
      return std::string(name_of(test.param)).erase(name_of(test.param).find('-'), 1);
    });

}  // namespace
}  // namespace meshtrust::pki
