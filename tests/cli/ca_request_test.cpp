#include "pki/request.h"
#include "tests/cli/program_fixture.h"

#include <fmt/format.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ProgramTest;

/// A store with a root in clear text, "t", and a site that has none, "site".
class CaRequestTest : public ProgramTest {
 protected:
  CaRequestTest() {
    EXPECT_EQ(run({"ca", "create", "--store", path("t"), "--no-password", "--insecure"}), kDone)
        << err.str();
    password = "correct horse";
  }
  int request(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"ca",         "request", "east",          "--store",
                                   path("site"), "--out",   path("east.csr")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  /// Where no passphrase is known, as none is needed.
  int sign(const std::string& to = "east.pem") {
    const std::string of_site = std::exchange(password, {});
    const int code = run({"ca", "sign", path("east.csr"), "--cluster", "east", "--store", path("t"),
                          "--out", path(to)});
    password = of_site;
    return code;
  }
  int import(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"ca",         "import", path("east.pem"), "--store",
                                   path("site"), "--out",  path("east")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void bring_certificate() {
    ASSERT_EQ(request(), kDone) << err.str();
    ASSERT_EQ(sign(), kDone) << err.str();
  }
  std::string content(const std::string& name) { return test::content_of(folder / name); }
  /// A key whose file says the same public half. Of RSA all of it: else the exponent does not
  /// matter, as there are the primes.
  static std::string with_another_private_number(const std::string& pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    unsigned char* der = nullptr;
    long size = 0;
    PEM_bytes_read_bio(&der, &size, nullptr, "PRIVATE KEY", text.get(), nullptr, nullptr);
    std::string bytes(der, der + size);
    OPENSSL_free(der);
    // EC: {0, {OIDs}, "{1, number, [1] public half}"}: the number begins behind 36 octets.
    // RSA: {0, {OID}, "{0, n, e, d, p, q, ...}"}: from d on, every length stays.
    const bool is_ec = bytes.size() < 300;
    const std::size_t begin = is_ec ? 40 : 320;
    for (std::size_t i = begin; i < (is_ec ? begin + 8 : bytes.size()); i += is_ec ? 1 : 100) {
      bytes[i] = static_cast<char>(bytes[i] ^ 1);
    }
    const std::unique_ptr<BIO, decltype(&BIO_free)> written(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio(written.get(), "PRIVATE KEY", "",
                  reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<long>(bytes.size()));
    char* begin_of_text = nullptr;
    const long length = BIO_get_mem_data(written.get(), &begin_of_text);
    return {begin_of_text, static_cast<std::size_t>(length)};
  }
};

TEST_F(CaRequestTest, TheKeyStaysAtItsSiteWhileTheRequestTravels) {
  ASSERT_EQ(request(), kDone) << err.str();
  EXPECT_THAT(content("east.csr"), HasSubstr("BEGIN CERTIFICATE REQUEST"));
  ASSERT_EQ(sign(), kDone) << err.str();
  EXPECT_EQ(said(), "meshtrust: next: 'meshtrust ca import DIR/east.pem' where the key waits\n");
  password = "mist";
  EXPECT_EQ(import(), kBadInput);
  EXPECT_THAT(said(), HasSubstr("wrong passphrase"));
  EXPECT_FALSE(fs::exists(folder / "east"));
  password = "correct horse";
  ASSERT_EQ(import(), kDone) << err.str();
  EXPECT_EQ(test::mode_of(folder / "east/ca-key.pem"), 0600U);
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();

  // The signer can make no list of a key that it does not have.
  const std::vector<std::string> crl{"ca", "crl", "--store", path("t"), "--out", path("east")};
  EXPECT_EQ(run(crl), kRefused);
  std::vector<std::string> with = crl;
  with.insert(with.end(), {"--with", path("east/own-crl.pem")});
  EXPECT_EQ(run(with), kDone) << err.str();
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

TEST_F(CaRequestTest, TheSubjectOfSomebodyElsesRequestIsToldAndNotGranted) {
  ASSERT_EQ(request(), kDone);
  EXPECT_EQ(run({"ca", "sign", path("east.csr"), "--cluster", "west", "--store", path("t"), "--out",
                 path("west.pem")}),
            kDone)
      << err.str();
  EXPECT_THAT(said(), HasSubstr("warning: the request also asked for the subject 'CN=east': not "
                                "granted\n"));
}

TEST_F(CaRequestTest, WhatOpensTheRootsKeySignsTheWholeLedger) {
  const auto expect_signed = [this](int lines) {
    ASSERT_EQ(run({"ca", "show", "--store", path("t")}), kDone);
    EXPECT_THAT(out.str(), HasSubstr(fmt::format(
                               "\nledger:   {} lines, all signed by the root's key\n", lines)));
  };
  const auto revoke = [this](std::initializer_list<std::string> more) {
    std::vector<std::string> words{"ca", "revoke", "east", "--store", path("t")};
    words.insert(words.end(), more);
    ASSERT_EQ(run(words), kDone) << err.str();
  };
  bring_certificate();
  expect_signed(5);
  revoke({"--force"});
  revoke({"--undo"});
  ASSERT_EQ(sign(), kDone) << "what was signed before is signed no second time";
  expect_signed(7);
  revoke({"--force"});
  ASSERT_EQ(run({"ca", "request", "--root", "--store", path("t"), "--out", path("root.csr")}),
            kDone)
      << err.str();
  EXPECT_THAT(err.str(), HasSubstr("the root's key now also signs what was recorded without it "
                                   "since line 7: revoked\n"));
  expect_signed(8);
}

TEST_F(CaRequestTest, ARequestMayBeInDer) {
  ASSERT_EQ(request(), kDone);
  const auto made = pki::CertificateRequest::from_pem(content("east.csr"));
  ASSERT_TRUE(made);
  test::put_file(folder / "east.csr", base::as_text(made->der()));
  EXPECT_EQ(sign(), kDone) << err.str();
  test::put_file(folder / "east.csr", "0 is no request");
  EXPECT_EQ(sign("other.pem"), kBadInput);
  EXPECT_THAT(said(), HasSubstr("DIR/east.csr: certificate request does not parse"));
}

TEST_F(CaRequestTest, NothingIsSignedForAFileThatCannotBeWritten) {
  ASSERT_EQ(request(), kDone);
  EXPECT_EQ(run({"ca", "sign", path("east.csr"), "--cluster", "east", "--store", path("t"), "--out",
                 path("none/east.pem")}),
            kBadInput);
  EXPECT_THAT(said(), HasSubstr("'DIR/none/east.pem' cannot be written: "));
  EXPECT_THAT(said(), HasSubstr("hint: name another file with --out\n"));
  EXPECT_EQ(run({"ca", "list", "--store", path("t"), "-o", "name"}), kDone);
  EXPECT_EQ(std::ranges::count(out.str(), '\n'), 1);
}

TEST_F(CaRequestTest, TheSignerWritesALostCertificateAgain) {
  bring_certificate();
  const std::string first = content("east.pem");
  fs::remove(folder / "east.pem");
  EXPECT_EQ(sign(), kDone) << err.str();
  EXPECT_EQ(content("east.pem"), first);
  EXPECT_EQ(said(),
            "meshtrust: this request was signed on 2026-11-21: that certificate was written again, "
            "and nothing was signed now\n"
            "meshtrust: next: 'meshtrust ca import DIR/east.pem' where the key waits\n");
  EXPECT_EQ(run({"ca", "list", "--store", path("t"), "-o", "name"}), kDone);
  EXPECT_EQ(std::ranges::count(out.str(), '\n'), 2);
}

TEST_F(CaRequestTest, AnOpenRequestIsWrittenAgainForTheSameKey) {
  EXPECT_EQ(run({"ca", "request", "east", "--store", path("site"), "--out", path("none/x")}),
            kBadInput);
  EXPECT_FALSE(fs::exists(folder / "site"));
  ASSERT_EQ(request({"--key", "rsa-2048"}), kDone) << err.str();
  const auto key = [this] {
    return pki::CertificateRequest::from_pem(content("east.csr")).value().facts().key_id;
  };
  const std::string first = key();
  fs::remove(folder / "east.csr");
  EXPECT_EQ(request({"--key", "ecdsa-p256"}), kRefused);
  EXPECT_EQ(said(),
            "meshtrust: error: the request of 'east' is open since 2026-11-21, and its key is "
            "rsa-2048, not ecdsa-p256\n"
            "meshtrust: hint: leave out --key, or give the request up with --give-up\n");
  EXPECT_EQ(request(), kDone) << err.str();
  EXPECT_EQ(key(), first);
  EXPECT_THAT(said(), HasSubstr("meshtrust: the request of 'east' is open since 2026-11-21: it was "
                                "written again, for the key that waits\n"));
  fs::remove(folder / "east.csr");
  password = "mist";
  EXPECT_EQ(request(), kBadInput);
  EXPECT_THAT(said(), HasSubstr("wrong passphrase"));
}

TEST_F(CaRequestTest, AKeyIsGivenUpOnlyBySomebodyWhoSaysSo) {
  const std::vector<std::string> give_up{"ca",      "request",    "east",
                                         "--store", path("site"), "--give-up"};
  ASSERT_EQ(request(), kDone);
  EXPECT_EQ(run(give_up), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: error: this removes the only key of 'east', which waits since 2026-11-21 "
            "and there is no terminal to ask on\n"
            "meshtrust: hint: say --yes\n");
  terminal.there = true;
  EXPECT_EQ(run(give_up), kUsage);
  EXPECT_THAT(terminal.asked,
              ElementsAre("remove the only key of 'east', which waits since 2026-11-21?"));
  EXPECT_EQ(said(), "meshtrust: nothing was removed\n");
  terminal.answer = true;
  EXPECT_EQ(run(give_up), kDone);
  EXPECT_EQ(said(), "meshtrust: the request of 'east' and its key are gone\n");
  terminal.there = false;
  fs::remove(folder / "east.csr");
  ASSERT_EQ(request(), kDone);
  std::vector<std::string> with_yes = give_up;
  with_yes.emplace_back("--yes");
  EXPECT_EQ(run(with_yes), kDone) << err.str();
  EXPECT_EQ(run(with_yes), kDone) << "a run that was killed at its very end is run again";
  EXPECT_EQ(said(),
            "meshtrust: no key of 'east' waits here: its request was closed on 2026-11-21\n");
  with_yes[2] = "west";
  EXPECT_EQ(run(with_yes), kBadInput);
  EXPECT_EQ(said(), "meshtrust: error: no request of cluster 'west' is open here\n");
}

TEST_F(CaRequestTest, TheRightKeyIsAskedFor) {
  password.clear();
  EXPECT_EQ(request(), kUsage);
  EXPECT_THAT(said(), HasSubstr("error: the waiting key needs a passphrase and there is no "));
  EXPECT_EQ(request({"--no-password"}), kUsage);
  EXPECT_THAT(said(), HasSubstr("error: a clear-text waiting key takes two words\n"));
  terminal.there = true;
  terminal.secrets = {"words", "words", "words"};
  EXPECT_EQ(request(), kDone) << err.str();
  EXPECT_THAT(terminal.asked,
              ElementsAre("passphrase for the new waiting key", "the same once more"));
  fs::remove(folder / "east.csr");
  terminal.asked.clear();
  EXPECT_EQ(request(), kDone) << err.str();
  EXPECT_THAT(terminal.asked, ElementsAre("passphrase of the waiting key"));
}

TEST_F(CaRequestTest, WhatOnlyOpensAKeyCannotBeToldToKeepItInClear) {
  ASSERT_EQ(request(), kDone);
  EXPECT_EQ(run({"ca", "sign", path("east.csr"), "--cluster", "east", "--store", path("t"), "--out",
                 path("east.pem"), "--no-password", "--insecure"}),
            kUsage);
  EXPECT_EQ(run({"ca", "issue", "east", "--store", path("t"), "--out", path("east"),
                 "--no-password", "--insecure"}),
            kUsage);
}

TEST_F(CaRequestTest, AnImportThatWasInterruptedGoesOn) {
  bring_certificate();
  fs::copy(folder / "site", folder / "before", fs::copy_options::recursive);
  ASSERT_EQ(import(), kDone) << err.str();
  fs::remove_all(folder / "site");
  fs::rename(folder / "before", folder / "site");
  // Killed before the key: all else is there.
  fs::remove(folder / "east/ca-key.pem");
  const std::string list = content("east/own-crl.pem");
  EXPECT_EQ(import(), kDone) << err.str();
  EXPECT_EQ(content("east/own-crl.pem"), list);
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
  EXPECT_EQ(import(), kDone);
  EXPECT_EQ(said(), "meshtrust: that was imported already, into 'DIR/east': nothing to do\n");
  fs::remove(folder / "east/ca-key.pem");
  EXPECT_EQ(import(), kBadInput);  // the request is closed, and the only copy of the key gone
}

TEST_F(CaRequestTest, AnImportThatMissedOnlyTheLedgerClosesTheRequest) {
  bring_certificate();
  fs::copy(folder / "site", folder / "before", fs::copy_options::recursive);
  ASSERT_EQ(import(), kDone) << err.str();
  fs::remove_all(folder / "site");
  fs::rename(folder / "before", folder / "site");
  password.clear();  // the key need not be opened
  EXPECT_EQ(import(), kDone) << err.str();
  EXPECT_EQ(import(), kDone);
  EXPECT_EQ(said(), "meshtrust: that was imported already, into 'DIR/east': nothing to do\n");
}

TEST_F(CaRequestTest, AnImportBelievesNoPublicHalfOfAKey) {
  for (const std::string type : {"ecdsa-p256", "ecdsa-p384", "rsa-2048"}) {
    for (const char* left : {"site", "east", "east.csr", "east.pem"}) {
      fs::remove_all(folder / left);
    }
    ASSERT_EQ(request({"--key", type}), kDone) << err.str();
    ASSERT_EQ(sign(), kDone) << err.str();
    fs::copy(folder / "site", folder / "before", fs::copy_options::recursive);
    ASSERT_EQ(import(), kDone) << err.str();
    fs::remove_all(folder / "site");
    fs::rename(folder / "before", folder / "site");
    const std::string garbled = with_another_private_number(content("east/ca-key.pem"));
    test::put_file(folder / "east/ca-key.pem", garbled);
    EXPECT_EQ(import(), kRefused) << type;
    EXPECT_THAT(said(), HasSubstr("'DIR/east/ca-key.pem' already exists\n"));
    EXPECT_EQ(import({"--force"}), kDone) << err.str();
    EXPECT_FALSE(content("east/ca-key.pem") == garbled);
    EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
    test::put_file(folder / "east/ca-key.pem", garbled);
    EXPECT_EQ(import(), kBadInput) << "the key that waited is gone, and this is none";
  }
}

TEST_F(CaRequestTest, AnImportShowsAllThatItTakesAndHowItCompares) {
  bring_certificate();
  test::put_file(folder / "east.pem", content("east.pem") + content("east.pem"));
  ASSERT_EQ(import(), kDone) << err.str();
  EXPECT_THAT(said(), ::testing::MatchesRegex(
                          "this is taken:\n"
                          "  O=mesh,OU=intermediate 2026-11-21 [0-9a-f]+,CN=east\n"
                          "    is:      the CA of 'east', for the key that waits since 2026-11-21\n"
                          "    sha256:  [0-9a-f ]+\n"
                          "    valid:   2026-11-21 to 2028-11-20 .in 730 days.\n"
                          "  O=mesh,OU=root 2026-11-21 [0-9a-f]+,CN=mesh Root CA\n"
                          "    is:      the root that 'east' will trust\n"
                          "    sha256:  [0-9a-f ]+\n"
                          "    valid:   2026-11-21 to 2036-11-18 .in 3650 days.\n"
                          "  key:     the waiting one\n"
                          "  subject: asked for 'CN=east', given 'O=mesh,OU=intermediate "
                          "2026-11-21 [0-9a-f]+,CN=east': "
                          "the common name is the same\n"
                          "meshtrust: the key waits no more: .*\n"));
}

TEST_F(CaRequestTest, AnImportAsksWhereTheSubjectIsNotTheOneAskedFor) {
  ASSERT_EQ(request(), kDone);
  ASSERT_EQ(run({"ca", "sign", path("east.csr"), "--cluster", "west", "--store", path("t"), "--out",
                 path("east.pem")}),
            kDone);
  EXPECT_EQ(import(), kUsage);
  EXPECT_THAT(said(), HasSubstr("': the common name differs\nmeshtrust: error: the common name is "
                                "'west', asked for was 'east' and there is no terminal to ask on\n"
                                "meshtrust: hint: say --yes\n"));
  terminal.there = true;
  EXPECT_EQ(import(), kUsage);
  EXPECT_THAT(terminal.asked,
              ElementsAre("the common name is 'west', asked for was 'east'. Take it?"));
  EXPECT_THAT(said(), ::testing::EndsWith("meshtrust: nothing was taken\n"));
  EXPECT_FALSE(fs::exists(folder / "east"));
  terminal.there = false;
  EXPECT_EQ(import({"--yes"}), kDone) << err.str();
}

TEST_F(CaRequestTest, AnImportAsksWhereAnotherRootWouldBeTrusted) {
  bring_certificate();
  ASSERT_EQ(import(), kDone) << err.str();
  // The same cluster, signed by somebody else.
  ASSERT_EQ(run({"ca", "create", "--store", path("u"), "--no-password", "--insecure"}), kDone);
  for (const char* name : {"east.csr", "east.pem"})
    fs::remove(folder / name);
  ASSERT_EQ(request(), kDone);
  ASSERT_EQ(run({"ca", "sign", path("east.csr"), "--cluster", "east", "--store", path("u"), "--out",
                 path("east.pem")}),
            kDone);
  EXPECT_EQ(import({"--force"}), kUsage);
  EXPECT_THAT(said(), HasSubstr("error: 'DIR/east' tells 'east' to trust another root today and "
                                "there is no terminal to ask on\n"));
  EXPECT_EQ(import({"--force", "--yes"}), kDone) << err.str();
}

TEST_F(CaRequestTest, ARequestWhoseKeyWasNeverWrittenIsMadeAnew) {
  ASSERT_EQ(request(), kDone);
  for (const auto& file : fs::directory_iterator(folder / "site")) {
    if (file.path().string().ends_with(".key.pem")) fs::remove(file);
  }
  fs::remove(folder / "east.csr");
  EXPECT_EQ(request(), kDone) << err.str();
  EXPECT_THAT(said(), HasSubstr("meshtrust: warning: the key of the request of 'east' since "
                                "2026-11-21 is not in the store (a run that made it was "
                                "interrupted, or somebody removed it): that request is given up, "
                                "and what is signed for it fits no key\n"));
  ASSERT_EQ(sign(), kDone) << err.str();
  EXPECT_EQ(import(), kDone) << err.str();
}

TEST_F(CaRequestTest, WhatIsWrittenAlreadyIsNothingToDo) {
  ASSERT_EQ(request(), kDone);
  const std::string asked = content("east.csr");
  password.clear();  // the key need not be opened
  EXPECT_EQ(request(), kDone) << err.str();
  EXPECT_EQ(said(), "meshtrust: 'DIR/east.csr' is that request already: nothing to do\n");
  EXPECT_EQ(content("east.csr"), asked);
  ASSERT_EQ(sign(), kDone) << err.str();
  const std::string signed_one = content("east.pem");
  EXPECT_EQ(sign(), kDone) << err.str();
  EXPECT_EQ(content("east.pem"), signed_one);
  test::put_file(folder / "east.pem", "something else");
  EXPECT_EQ(sign(), kRefused);
  EXPECT_EQ(content("east.pem"), "something else");
}

TEST_F(CaRequestTest, AnIssueThatWasInterruptedGoesOn) {
  const std::vector<std::string> issue{"ca",      "issue", "east",      "--store",
                                       path("t"), "--out", path("east")};
  ASSERT_EQ(run(issue), kDone) << err.str();
  EXPECT_EQ(run(issue), kRefused) << "that was told to have been written";
  // Killed before the key, with what was minted known to the ledger, which only a kill can do.
  const auto leave = [this](std::initializer_list<const char*> gone) {
    for (const char* name : gone)
      fs::remove(folder / "east" / name);
  };
  leave({"ca-key.pem"});
  EXPECT_EQ(run(issue), kRefused) << "a key that was there is gone: it is for a person to judge";
  leave({"ca-cert.pem", "cert-chain.pem"});
  EXPECT_EQ(run(issue), kDone) << err.str();
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

TEST_F(CaRequestTest, AnImportReplacesNothingElseUnasked) {
  bring_certificate();
  for (const std::string name : {"own-crl.pem", "ca-cert.pem", "ca-key.pem"}) {
    fs::create_directory(folder / "east");
    test::put_file(folder / "east" / name, "something else\n");
    EXPECT_EQ(import(), kRefused) << name;
    EXPECT_EQ(said(), "meshtrust: error: 'DIR/east/" + name +
                          "' already exists\nmeshtrust: hint: name another folder with --out, or "
                          "replace it with --force\n");
    EXPECT_EQ(content("east/" + name), "something else\n");
    fs::remove_all(folder / "east");
  }
}

TEST_F(CaRequestTest, AnImportNeverReplacesTheKeyOfAnother) {
  bring_certificate();
  ASSERT_EQ(run({"ca", "issue", "west", "--store", path("t"), "--out", path("east")}), kDone)
      << err.str();
  const std::string key = content("east/ca-key.pem");
  EXPECT_EQ(import({"--force"}), kRefused);
  EXPECT_THAT(said(), HasSubstr("'DIR/east/ca-key.pem' is the key of 'O=mesh,OU=intermediate "));
  EXPECT_THAT(said(), HasSubstr("CN=west', and no earlier key of this cluster: it may be the only "
                                "copy\nmeshtrust: hint: name another folder with --out, or move "
                                "that file away\n"));
  EXPECT_EQ(content("east/ca-key.pem"), key);
  test::put_file(folder / "east/ca-key.pem", "no key\n");
  EXPECT_EQ(import({"--force"}), kRefused);
  EXPECT_THAT(said(), HasSubstr("'DIR/east/ca-key.pem' is no key that can be read"));
}

TEST_F(CaRequestTest, AnImportReplacesAnEarlierKeyOfItsClusterWithForce) {
  bring_certificate();
  ASSERT_EQ(import(), kDone) << err.str();
  const std::string first = content("east/ca-key.pem");
  fs::remove(folder / "east.csr");
  fs::remove(folder / "east.pem");
  bring_certificate();
  EXPECT_EQ(import(), kRefused);
  EXPECT_EQ(content("east/ca-key.pem"), first);
  EXPECT_EQ(import({"--force"}), kDone) << err.str();
  EXPECT_NE(content("east/ca-key.pem"), first);
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
}

}  // namespace
}  // namespace meshtrust::cli
