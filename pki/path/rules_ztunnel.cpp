#include "pki/path/rules_ztunnel.h"

#include "pki/path/rules_table.h"

namespace meshtrust::pki {
namespace {

bool aws_lc_signature_allowed(const PathSignature& signature, const PathKey& issuer) {
  if (webpki_rules().signature_allowed(signature, issuer)) return true;
  static constexpr std::array<std::string_view, 3> kCurves = {"ecdsa-p256", "ecdsa-p384",
                                                              "ecdsa-p521"};
  return signature.key == KeyKind::kEc && issuer.kind == KeyKind::kEc &&
         is_one_of(issuer.text, kCurves) && is_sha2(signature.digest) &&
         signature.parameters.empty() && issuer.point_form == kUncompressedPoint;
}

}  // namespace

const Rules& ztunnel_rules() {
  static const Rules rules = [] {
    Rules made = webpki_rules();
    made.version = "rustls-webpki 0.103 with aws-lc-rs";
    made.signature_allowed = aws_lc_signature_allowed;
    return made;
  }();
  return rules;
}

}  // namespace meshtrust::pki
