#include "ca/authority.h"
#include "cli/bundle_folder.h"
#include "istio/bundle.h"
#include "istio/names.h"
#include "tests/cli/program_fixture.h"
#include "tests/support/matchers.h"

// `ca issue` beside other runs, and after some that were killed: no run takes another's only key.

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramTest;

constexpr const char* kWords = "correct horse battery";

/// A store "t" whose root's key is encrypted, and a person at a terminal.
class CaIssueTest : public ProgramTest {
 protected:
  CaIssueTest() {
    password = kWords;
    EXPECT_EQ(run({"ca", "create", "--store", path("t")}), kDone) << err.str();
    password.clear();
    terminal.there = true;
  }
  int issue(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"ca",      "issue", "east",      "--store",
                                   path("t"), "--out", path("east")};
    words.insert(words.end(), more.begin(), more.end());
    terminal.secrets = {kWords};
    return run(words);
  }
  /// While the next run asks for the passphrase, another one does all of its work.
  void let_another_run_be_faster() {
    terminal.meanwhile = [this] {
      password = kWords;
      EXPECT_EQ(issue(), kDone) << err.str();
      password.clear();
      terminal.secrets = {kWords};
      key_of_other = content("ca-key.pem");
    };
  }
  std::string content(const std::string& name) { return test::content_of(folder / "east" / name); }
  ca::TrustStore store() {
    return ca::TrustStore::open({.files = files, .clock = clock, .random = random}, path("t"))
        .value();
  }
  /// What a run leaves that is killed when `names` are written and the ledger knows no more than
  /// that it was minted. Returns the fingerprint.
  std::string leave_behind(std::initializer_list<std::string_view> names) {
    ca::TrustStore opened = store();
    const ca::StoreLock lock = opened.lock("a test").value();
    const auto key = ca::unlock_root(opened, base::Secret(kWords)).value();
    const auto minted = ca::mint_intermediate(opened, lock, *key, {.cluster = "east"}, {}).value();
    const istio::Bundle bundle =
        istio::make_bundle(minted.chain, minted.roots, minted.key.to_pem().value());
    EXPECT_THAT(BundleFolder(path("east"), base::Overwrite::kNever).write(files, bundle),
                test::Succeeds());
    for (const std::string_view name : istio::kCaFiles) {
      if (std::ranges::find(names, name) == names.end()) fs::remove(folder / "east" / name);
    }
    return minted.certificate.fingerprint();
  }
  std::string leave_all_behind() {
    return leave_behind({"root-cert.pem", "cert-chain.pem", "ca-cert.pem", "ca-key.pem"});
  }

  std::string key_of_other;
};

TEST_F(CaIssueTest, ARunThatWasFasterKeepsItsKey) {
  let_another_run_be_faster();
  EXPECT_EQ(issue(), kRefused);
  EXPECT_THAT(said(), HasSubstr("/ca-cert.pem' already exists\n"));
  EXPECT_TRUE(content("ca-key.pem") == key_of_other);
  EXPECT_EQ(store().issued().size(), 2U) << "nothing is minted that nobody gets";
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

TEST_F(CaIssueTest, OfTwoThatGoOnAfterAKillOneFinishes) {
  leave_behind({"root-cert.pem", "cert-chain.pem"});
  let_another_run_be_faster();
  EXPECT_EQ(issue(), kRefused);
  EXPECT_TRUE(content("ca-key.pem") == key_of_other);
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

TEST_F(CaIssueTest, WhatAKilledRunHadWrittenIsFinishedWithoutTheKey) {
  const std::string fingerprint = leave_all_behind();
  EXPECT_EQ(issue(), kDone) << err.str();
  EXPECT_TRUE(terminal.asked.empty());
  EXPECT_EQ(store().find(fingerprint)->state, ledger::Delivery::kPushed);
}

TEST_F(CaIssueTest, WhatAKilledRunHadWrittenHasToBeWhatIsWantedNow) {
  leave_all_behind();
  EXPECT_EQ(issue({"--key", "rsa-2048"}), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: error: 'DIR/east' holds what a run that was interrupted has written, and "
            "its key is ecdsa-p256, not rsa-2048\n"
            "meshtrust: hint: replace it by another with --force\n");
  EXPECT_EQ(issue({"--lifetime", "90d"}), kRefused);
  EXPECT_THAT(said(), HasSubstr("has written, and that ends on 2028-11-20: not 90d after it was "
                                "minted\n"));
  EXPECT_EQ(issue({"--key", "ecdsa-p256", "--lifetime", "730d"}), kDone) << err.str();
}

TEST_F(CaIssueTest, WhatAKilledRunHadWrittenIsNotHandedOutOnceItIsRevoked) {
  const std::string fingerprint = leave_all_behind();
  ASSERT_EQ(run({"ca", "revoke", fingerprint, "--store", path("t"), "--force"}), kDone)
      << err.str();
  EXPECT_EQ(issue(), kRefused);
  EXPECT_THAT(said(), HasSubstr("has written, and that was revoked on 2026-11-21\n"));
  EXPECT_EQ(store().find(fingerprint)->state, ledger::Delivery::kMinted);
  EXPECT_EQ(issue({"--force"}), kDone) << err.str();
}

TEST_F(CaIssueTest, APassphraseForAKeyInClearIsWarnedOf) {
  ASSERT_EQ(run({"ca", "create", "--store", path("clear"), "--no-password", "--insecure"}), kDone);
  const std::vector<std::string> crl{"ca", "crl", "--store", path("clear"), "--out", path(".")};
  EXPECT_EQ(run(crl), kDone);
  EXPECT_THAT(said(), Not(HasSubstr("warning")));
  password = kWords;
  EXPECT_EQ(run(crl), kDone);
  EXPECT_THAT(said(), HasSubstr("meshtrust: warning: a passphrase was given, and the root key of "
                                "this store is in clear text: if it should be encrypted, this is "
                                "another store than you think\n"));
}

class BundleFolderTest : public ::testing::Test {
 protected:
  static istio::Bundle bundle() {
    return {.certificates = {.ca_cert = "certificate\n",
                             .cert_chain = "chain\n",
                             .root_cert = "root\n"},
            .ca_key = base::Secret("key\n")};
  }
  void put(const std::string& name) { test::put_file(folder / name, "another's\n"); }
  std::map<std::string, std::string> contents() {
    std::map<std::string, std::string> found;
    for (const auto& each : fs::directory_iterator(folder.path())) {
      found[each.path().filename().string()] = test::content_of(each.path());
    }
    return found;
  }

  test::TempFolder folder;
  base::DiskFiles files;
};

TEST_F(BundleFolderTest, WhatAnotherRunWroteMeanwhileStays) {
  for (const std::string name : {"root-cert.pem", "cert-chain.pem", "ca-cert.pem", "ca-key.pem"}) {
    put(name);
    const BundleFolder out(folder.path().string(), base::Overwrite::kNever);
    EXPECT_THAT(out.write(files, bundle()),
                test::FailsWith(base::Code::kConflict, HasSubstr(name)));
    EXPECT_EQ(contents(), (std::map<std::string, std::string>{{name, "another's\n"}}));
    fs::remove(folder / name);
  }
}

TEST_F(BundleFolderTest, OnlyWhatIsNamedIsReplaced) {
  BundleFolder out(folder.path().string(), base::Overwrite::kNever);
  put("root-cert.pem");
  put("ca-key.pem");
  out.replace(istio::kRootCertFile);
  EXPECT_THAT(out.write(files, bundle()),
              test::FailsWith(base::Code::kConflict, HasSubstr("ca-key.pem")));
  EXPECT_EQ(contents(), (std::map<std::string, std::string>{{"root-cert.pem", "root\n"},
                                                            {"ca-key.pem", "another's\n"}}));
  fs::remove(folder / "ca-key.pem");
  EXPECT_THAT(out.write(files, bundle()), test::Succeeds());
  EXPECT_EQ(contents(), (std::map<std::string, std::string>{{"root-cert.pem", "root\n"},
                                                            {"cert-chain.pem", "chain\n"},
                                                            {"ca-cert.pem", "certificate\n"},
                                                            {"ca-key.pem", "key\n"}}));
}

}  // namespace
}  // namespace meshtrust::cli
