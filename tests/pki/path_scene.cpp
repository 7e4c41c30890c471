#include "tests/pki/path_scene.h"

#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_values.h"

namespace meshtrust::pki::testing {

Forgery PathScene::server_forgery() {
  Forgery wanted = leaf_forgery();
  wanted.subject = "O=Forge,CN=web";
  wanted.with("extendedKeyUsage", "serverAuth");
  wanted.with("subjectAltName", "DNS:web.example.com,DNS:*.apps.example.com,IP:10.0.0.1");
  return wanted;
}

PathCertificate as_path(const Certificate& certificate) {
  return *PathCertificate::from_der(certificate.der());
}

PathCertificate path_of(const Forgery& wanted, const Identity& issuer) {
  return *PathCertificate::from_der(forge_der(wanted, &issuer));
}

ChainQuestion ask(const PathScene& scene) {
  const Identity root = forge_root(scene.root);
  const Identity east = forge(scene.east, root);
  ChainQuestion question;
  question.chain = {path_of(scene.leaf, east), as_path(east.certificate)};
  question.anchors = {as_path(root.certificate)};
  question.at = kNow;
  return question;
}

std::string answer(const ChainQuestion& question, std::string_view judge) {
  const ChainVerdict verdict = judge_chain(question, judge);
  if (verdict.accepted) return "accepted";
  return verdict.failures.empty() ? verdict.reason : std::string(verdict.failures.front().id());
}

PathCrl forge_crl(const CrlForgery& wanted, const Identity& issuer) {
  const RevocationListHandle crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), 1);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(x509_of(issuer.certificate)));
  const auto time = [](base::Instant at) {
    return Time(ASN1_TIME_set(nullptr, at.time_since_epoch().count()));
  };
  X509_CRL_set1_lastUpdate(crl.get(), time(wanted.this_update).get());
  if (wanted.next_update) X509_CRL_set1_nextUpdate(crl.get(), time(*wanted.next_update).get());
  const auto add = [&](const std::string& hex, const std::string& certificate_issuer) {
    BIGNUM* number = nullptr;
    MESHTRUST_CHECK(BN_hex2bn(&number, hex.c_str()) > 0);
    const BigNumber owner(number);
    const Integer serial(BN_to_ASN1_INTEGER(number, nullptr));
    X509_REVOKED* revoked = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(revoked, serial.get());
    X509_REVOKED_set_revocationDate(revoked, time(wanted.this_update).get());
    if (!certificate_issuer.empty()) {
      const Extension extension(
          X509V3_EXT_nconf(nullptr, nullptr, "2.5.29.29", certificate_issuer.c_str()));
      MESHTRUST_CHECK(extension != nullptr);
      X509_REVOKED_add_ext(revoked, extension.get(), -1);
    }
    MESHTRUST_CHECK(X509_CRL_add0_revoked(crl.get(), revoked) == 1);
  };
  for (const std::string& hex : wanted.serials) {
    add(hex, "");
  }
  for (const auto& [hex, certificate_issuer] : wanted.serials_of_others) {
    add(hex, certificate_issuer);
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509_of(issuer.certificate), nullptr, nullptr, crl.get(), 0);
  for (const auto& [name, value] : wanted.extensions) {
    const Extension extension(X509V3_EXT_nconf(nullptr, &context, name.c_str(), value.c_str()));
    MESHTRUST_CHECK(extension != nullptr);
    X509_CRL_add_ext(crl.get(), extension.get(), -1);
  }
  const Key& key = wanted.signing_key ? wanted.signing_key : issuer.key;
  MESHTRUST_CHECK(X509_CRL_sign(crl.get(), key.get(), EVP_get_digestbyname(wanted.digest)) > 0);
  return *PathCrl::from_der(to_der(i2d_X509_CRL, static_cast<const X509_CRL*>(crl.get())));
}

}  // namespace meshtrust::pki::testing
