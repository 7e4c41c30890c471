// What is said of a bundle for the revocation lists in it.
#include "istio/acceptance.h"
#include "tests/pki/list_authority.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace meshtrust::istio {
namespace {

constexpr base::Instant kNow{base::Seconds(1'795'255'200)};

/// One that also makes lists as they may come from elsewhere.
struct Authority : pki::testing::ListAuthority {
  Authority(const std::string& name, const Authority* issuer) : ListAuthority(name, issuer, kNow) {}

  std::string list(const std::vector<std::string>& revoked = {}) const {
    return ListAuthority::list(base::days(50), revoked);
  }

  /// The same with one more extension: such lists are not made, but may come from elsewhere.
  std::string list_with(const std::string& name,
                        const std::string& value,
                        const std::vector<std::string>& revoked) const {
    const auto bio_of = [](std::string_view text) {
      return std::shared_ptr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                  BIO_free_all);
    };
    const std::string pem = list(revoked);
    const std::shared_ptr<X509_CRL> crl(
        PEM_read_bio_X509_CRL(bio_of(pem).get(), nullptr, nullptr, nullptr), X509_CRL_free);
    const std::shared_ptr<X509_EXTENSION> extension(
        X509V3_EXT_nconf(nullptr, nullptr, name.c_str(), value.c_str()), X509_EXTENSION_free);
    X509_CRL_add_ext(crl.get(), extension.get(), -1);
    const base::Secret secret = key.to_pem().value();
    const std::shared_ptr<EVP_PKEY> signer(
        PEM_read_bio_PrivateKey(bio_of(reveal(secret, "sign a test's list")).get(), nullptr,
                                nullptr, nullptr),
        EVP_PKEY_free);
    EXPECT_GT(X509_CRL_sign(crl.get(), signer.get(), EVP_sha256()), 0);
    base::Bytes der(static_cast<std::size_t>(i2d_X509_CRL(crl.get(), nullptr)));
    unsigned char* out = der.data();
    i2d_X509_CRL(crl.get(), &out);
    return pki::RevocationList::from_der(der).value().pem();
  }

  std::string pem() const { return certificate.pem(); }
};

bool is_called_revoked(const PublicBundle& bundle) {
  const BundleVerdict verdict = judge_bundle({.bundle = bundle, .at = kNow});
  return std::ranges::any_of(verdict.problems,
                             [](const BundleProblem& one) { return one.code == "ca-revoked"; });
}

TEST(ListsOfABundle, RevokeItsCertificates) {
  const Authority root("root", nullptr);
  const Authority east("east", &root);
  struct Case {
    const char* name;
    std::string chain;
    std::string list_of_root;
    bool revoked;
  };
  const std::string delta = "critical,DER:020101";
  const std::string indirect = "critical,DER:30038401ff";
  const std::vector<Case> cases = {
      {"nothing", east.pem(), root.list(), false},
      {"the signing certificate", east.pem(), root.list({east.serial()}), true},
      {"with an empty chain file", "", root.list({east.serial()}), true},
      {"a serial that may be somebody else's", east.pem(),
       root.list() + root.list_with("2.5.29.28", indirect, {east.serial()}), false},
      {"a delta", east.pem(), root.list() + root.list_with("2.5.29.27", delta, {east.serial()}),
       false},
  };
  for (const Case& one : cases) {
    const PublicBundle bundle{.ca_cert = east.pem(),
                              .cert_chain = one.chain,
                              .root_cert = root.pem(),
                              .ca_crl = one.list_of_root + east.list()};
    EXPECT_EQ(is_called_revoked(bundle), one.revoked) << one.name;
  }
}

TEST(ListsOfABundle, RevokeASigningCertificateThatTheChainDoesNotBeginWith) {
  const Authority root("root", nullptr);
  const Authority east("east", &root);
  const Authority west("west", &root);
  const PublicBundle bundle{.ca_cert = east.pem(),
                            .cert_chain = west.pem(),
                            .root_cert = root.pem(),
                            .ca_crl = root.list({east.serial()}) + west.list()};
  EXPECT_TRUE(is_called_revoked(bundle));
}

}  // namespace
}  // namespace meshtrust::istio
