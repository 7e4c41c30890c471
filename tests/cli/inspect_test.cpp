#include "base/encoding.h"
#include "base/json.h"
#include "tests/cli/program_fixture.h"
#include "tests/support/fake_api_server.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unistd.h>

namespace meshtrust::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramTest;

std::string data(const std::string& name) {
  return test::test_file("data/pki/" + name).string();
}

class InspectTest : public ProgramTest {
 protected:
  std::vector<std::string> items() {
    std::vector<std::string> found;
    const auto json = base::parse_json(out.str(), "inspection").value();
    EXPECT_EQ(json["kind"], "InspectionList");
    for (const auto& item : json["items"]) {
      found.push_back(without_folder(item["source"].get<std::string>()) + " " +
                      item["kind"].get<std::string>());
    }
    return found;
  }
};

TEST_F(InspectTest, DrawsAChainAsATreeAndTellsTheRestBelow) {
  for (const char* name : {"root.pem", "upper.pem", "request.pem", "crl.pem"}) {
    std::filesystem::copy(data(std::string("objects/") + name), folder / name);
  }
  std::filesystem::copy(data("keys/rsa2048-pkcs8.pem"), folder / "key.pem");
  test::put_file(folder / "notes.txt", "nothing of the kind\n");
  test::put_file(folder / ".hidden", "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(run({"inspect", folder.path().string()}), kDone) << err.str();
  test::expect_golden("golden/cli/inspect.txt", without_folder(out.str()));
  EXPECT_EQ(said(), "meshtrust: passed over 1 file with nothing known in it: DIR/notes.txt\n");
}

TEST_F(InspectTest, ReadsASecretAsYamlAndNeverShowsItsKey) {
  const std::string key = test::content_of(data("keys/p256-pkcs8.pem"));
  const std::string root = test::content_of(data("objects/root.pem"));
  std::string yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: mesh}\n";
  yaml += "data:\n  ca-cert.pem: " + base::to_base64(base::as_bytes(root)) + "\n";
  yaml += "  ca-key.pem: " + base::to_base64(base::as_bytes(key)) + "\n";
  test::put_file(folder / "secret.yaml", yaml);
  EXPECT_EQ(run({"inspect", path("secret.yaml"), "-o", "json"}), kDone) << err.str();
  EXPECT_THAT(items(), ElementsAre("DIR/secret.yaml: secret mesh/cacerts: ca-cert.pem Certificate",
                                   "DIR/secret.yaml: secret mesh/cacerts: ca-key.pem PrivateKey"));
  const std::string line = key.substr(key.find('\n') + 1, 40);
  EXPECT_THAT(out.str(), Not(HasSubstr(line)));
}

TEST_F(InspectTest, AsksOnceForThePassphraseOfAllFiles) {
  terminal.there = true;
  terminal.secrets = {"fixture"};
  EXPECT_EQ(
      run({"inspect", data("objects/bundle.p12"), data("objects/bundle-no-mac.p12"), "-o", "json"}),
      kDone)
      << err.str();
  EXPECT_EQ(items().size(), 4U);
  EXPECT_THAT(terminal.asked, ElementsAre("passphrase of " + data("objects/bundle.p12")));
}

TEST_F(InspectTest, SaysThatAPassphraseIsWrong) {
  password = "mist";
  EXPECT_EQ(run({"inspect", data("objects/bundle.p12")}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("bundle.p12: wrong passphrase\n"));
}

TEST_F(InspectTest, ShowsWhatItCanReadAndWhyNotTheRest) {
  test::put_file(folder / "bad.pem",
                 "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(run({"inspect", path("bad.pem"), data("objects/root.pem"), path("none")}), kBadInput);
  EXPECT_THAT(out.str(), HasSubstr("O=Shop,CN=Old Root\n"));
  EXPECT_THAT(said(), HasSubstr("meshtrust: error: DIR/bad.pem:1: not a certificate"));
  EXPECT_THAT(said(), HasSubstr("DIR/none"));
}

TEST_F(InspectTest, OneBadBlockTakesNothingElseWithIt) {
  const std::string good = test::content_of(data("objects/root.pem"));
  const std::string more = test::content_of(data("objects/upper.pem"));
  const std::string bad = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
  const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };
  test::put_file(folder / "all.pem", good + bad + more + "-----BEGIN X509 CRL-----\nAAAA\n" + good);
  EXPECT_EQ(run({"inspect", path("all.pem"), "-o", "json"}), kBadInput);
  EXPECT_THAT(items(), ElementsAre("DIR/all.pem Certificate", "DIR/all.pem#3 Certificate",
                                   "DIR/all.pem#4 Certificate"));
  const auto at_bad = lines(good) + 1;
  const auto at_open = at_bad + 3 + lines(more);
  EXPECT_EQ(said(), "meshtrust: error: DIR/all.pem: pem block 'X509 CRL' of line " +
                        std::to_string(at_open) + " has no end line\n" +
                        "meshtrust: error: DIR/all.pem:" + std::to_string(at_bad) +
                        ": not a certificate: its structure is broken\n");
}

TEST_F(InspectTest, SaysWhereNothingWasFound) {
  std::filesystem::create_directory(folder / "empty");
  EXPECT_EQ(run({"inspect", path("empty"), data("objects/root.pem")}), kBadInput);
  EXPECT_EQ(said(),
            "meshtrust: error: DIR/empty: found no certificate, private key, certificate request "
            "or revocation list\n");
  std::filesystem::create_directories(folder / "d/1/2/3/4/5/6/7/8/9");
  EXPECT_EQ(run({"inspect", path("d")}), kBadInput);
  EXPECT_EQ(said(),
            "meshtrust: error: 'DIR/d/1/2/3/4/5/6/7/8/9' lies too deep: more than 8 folders down "
            "is not read\n"
            "meshtrust: hint: name that folder itself\n");
}

TEST_F(InspectTest, SaysThatThereIsNoStandardInput) {
  const int kept = dup(STDIN_FILENO);
  close(STDIN_FILENO);
  EXPECT_EQ(run({"inspect", "-"}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("meshtrust: error: standard input: cannot read '/dev/stdin': "));
  EXPECT_THAT(said(), HasSubstr("hint: name a file instead of -, or pipe one in\n"));
  if (kept < 0) return;
  dup2(kept, STDIN_FILENO);
  close(kept);
}

TEST_F(InspectTest, LooksBehindALinkThatIsNamed) {
  std::filesystem::create_directory(folder / "real");
  std::filesystem::copy(data("objects/root.pem"), folder / "real/root.pem");
  std::filesystem::create_directory_symlink("real", folder / "link");
  EXPECT_EQ(run({"inspect", path("link"), "-o", "json"}), kDone) << err.str();
  EXPECT_THAT(items(), ElementsAre("DIR/link/root.pem Certificate"));
}

TEST_F(InspectTest, NamesAFileThatNeedsAPassphraseOnce) {
  std::filesystem::copy(data("objects/bundle.p12"), folder / "b.p12");
  EXPECT_EQ(run({"inspect", path("b.p12")}), kUsage);
  EXPECT_THAT(said(), HasSubstr("error: DIR/b.p12 needs a passphrase and there is no terminal"));
}

TEST_F(InspectTest, TellsThatAPkcs12FileIsCutOff) {
  const std::string whole = test::content_of(data("objects/bundle.p12"));
  for (const std::size_t size : {std::size_t{100}, whole.size() - 1}) {
    test::put_file(folder / "b.p12", whole.substr(0, size));
    EXPECT_EQ(run({"inspect", path("b.p12")}), kBadInput);
    EXPECT_EQ(said(),
              "meshtrust: error: DIR/b.p12: the PKCS#12 file is damaged: it is cut off, or its "
              "structure is broken\n");
  }
}

TEST_F(InspectTest, ShowsTheCertificatesOfAServerThatNobodyJudges) {
  const test::FakeApiServer server({.clusters = {"east"}});
  const std::string kubeconfig = server.kubeconfig();
  constexpr std::string_view kScheme = "https://";
  const std::size_t at = kubeconfig.find(kScheme) + kScheme.size();
  const std::string address =
      "tls://" + kubeconfig.substr(at, kubeconfig.find_first_not_of("0123456789.:", at) - at);
  EXPECT_EQ(
      run({"inspect", address, "--alpn", "h2,http/1.1", "--sni", "api.fake.test", "-o", "json"}),
      kDone)
      << err.str();
  EXPECT_THAT(items(), ElementsAre(address + " Certificate", address + " TLSEndpoint"));
  EXPECT_EQ(run({"inspect", address}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("TLS server " + address + "\n    version    TLSv1.3\n"));
}

TEST_F(InspectTest, RefusesWhatIsNoAddressOfAServer) {
  for (const char* bad : {"tls://", "tls://a:b", "tls://a:0", "tls://a:65536", "tls://a b",
                          "tls://u@h", "tls://::1:443", "tls://h/path"}) {
    EXPECT_EQ(run({"inspect", bad}), kUsage) << bad;
  }
}

TEST_F(InspectTest, ReadsWhatIsWrappedAndSaysHowToMendIt) {
  const std::string root = test::content_of(data("objects/root.pem"));
  const std::string twice = base::to_base64(base::as_bytes(base::to_base64(base::as_bytes(root))));
  test::put_file(folder / "bom.pem", "\xEF\xBB\xBF" + root);
  test::put_file(folder / "twice.yaml",
                 "apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: mesh}\ndata:\n"
                 "  ca-cert.pem: " +
                     twice + "\n");
  EXPECT_EQ(run({"inspect", path("bom.pem"), path("twice.yaml"), "-o", "json"}), kDone)
      << err.str();
  EXPECT_THAT(items(), ElementsAre("DIR/bom.pem Certificate",
                                   "DIR/twice.yaml: secret mesh/cacerts: ca-cert.pem Certificate"));
  EXPECT_EQ(
      said(),
      "meshtrust: warning: DIR/bom.pem: has a UTF-8 byte order mark before a block: Go and "
      "BoringSSL do not see that block (mend it: sed 's/\\xEF\\xBB\\xBF//' FILE > NEW)\n"
      "meshtrust: warning: DIR/twice.yaml: secret mesh/cacerts: ca-cert.pem: is base64 of PEM: "
      "encoded once too often (mend it: base64 -d FILE > NEW)\n");
  const auto remarks = base::parse_json(out.str(), "inspection").value()["remarks"];
  EXPECT_EQ(remarks[0]["code"], "byte-order-mark");
  EXPECT_EQ(remarks[1]["code"], "base64");
}

}  // namespace
}  // namespace meshtrust::cli
