#include "pki/path/imagined_workload.h"

#include "pki/path/judge_chain.h"

#include <array>

namespace meshtrust::pki {
namespace {

using std::chrono::hours;

constexpr const char* kIdentity = "spiffe://cluster.local/ns/default/sa/default";

/// The algorithm that Go picks for a key when it signs.
PathSignature signature_by(const PathKey& key) {
  PathSignature signature{.text = "", .key = key.kind, .digest = Digest::kSha256};
  if (key.kind == KeyKind::kRsa) signature.text = "sha256WithRSAEncryption";
  if (key.kind == KeyKind::kEc) {
    if (key.text == "ecdsa-p384") signature.digest = Digest::kSha384;
    if (key.text == "ecdsa-p521") signature.digest = Digest::kSha512;
    signature.text = "ECDSA";
  }
  if (key.kind == KeyKind::kEd25519 || key.kind == KeyKind::kEd448) {
    signature.digest = Digest::kNone;
    signature.text = "EdDSA";
  }
  signature.equals_inner = true;
  return signature;
}

/// A workload's certificate as istiod mints it below `authority`.
PathCertificate imagine(const PathFacts& authority, base::Instant at) {
  PathFacts facts;
  facts.der = {'i', 'm', 'a', 'g', 'i', 'n', 'e', 'd'};  // equal to no certificate
  facts.fingerprint = "imagined";
  facts.serial = "0123456789abcdef";
  facts.serial_bytes = "\x01\x23\x45\x67";
  facts.issuer = authority.subject;
  facts.subject.raw = std::string("\x30\x00", 2);
  facts.not_before = at - hours(1);
  facts.not_after = at + hours(1);
  facts.key = {.kind = KeyKind::kEc,
               .bits = 256,
               .text = "ecdsa-p256",
               .info = facts.fingerprint,
               .point_form = kUncompressedPoint};
  facts.signature = signature_by(authority.key);
  facts.key_usage = kDigitalSignature | kKeyEncipherment;
  facts.extended_usage = PathExtendedUsage{.purposes = kServerAuth | kClientAuth,
                                           .objects = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}};
  facts.authority_key_id = authority.subject_key_id;
  facts.has_alternative_names = true;
  facts.alternative_names_critical = true;
  facts.alternative_names = {
      {.form = NameForm::kUri, .value = kIdentity, .rdns = {}, .text = kIdentity}};
  facts.alternative_names_der = kIdentity;
  facts.has_basic_constraints = true;
  facts.basic_constraints_critical = true;
  facts.extensions = {"2.5.29.15", "2.5.29.37", "2.5.29.19", "2.5.29.35", "2.5.29.17"};
  facts.critical_extensions = {"2.5.29.15", "2.5.29.19", "2.5.29.17"};
  return PathCertificate::imagined(std::move(facts));
}

std::vector<PathCertificate> as_path(const std::vector<Certificate>& certificates) {
  std::vector<PathCertificate> out;
  for (const Certificate& one : certificates) {
    if (!out.empty() && out.front().facts().fingerprint == one.fingerprint()) continue;
    out.push_back(PathCertificate::from(one));
  }
  return out;
}

ChainQuestion as_question(const TrustQuestion& question) {
  ChainQuestion asked;
  asked.chain = as_path(question.chain);
  asked.anchors = as_path(question.roots);
  asked.at = question.at;
  return asked;
}

}  // namespace

std::vector<Verdict> judge_authority(const TrustQuestion& question,
                                     std::span<const std::string_view> judges) {
  ChainQuestion asked = as_question(question);
  asked.purpose = Purpose::kAny;
  std::vector<Verdict> verdicts;
  for (const std::string_view judge : judges) {
    ChainVerdict said = judge_chain(asked, judge);
    verdicts.push_back(
        {.judge = std::string(judge), .accepted = said.accepted, .reason = std::move(said.reason)});
  }
  return verdicts;
}

std::vector<Verdict> judge_imagined_workload(const TrustQuestion& question) {
  ChainQuestion asked = as_question(question);
  asked.assumes_leaf_signature = true;
  std::vector<Verdict> verdicts;
  if (!asked.chain.empty()) {
    asked.chain.insert(asked.chain.begin(), imagine(asked.chain.front().facts(), question.at));
  }
  for (const Rules* rules : modelled_rules()) {
    Verdict verdict{.judge = std::string(rules->name), .accepted = true, .reason = {}};
    for (const Purpose purpose : {Purpose::kServer, Purpose::kClient}) {
      asked.purpose = purpose;
      ChainVerdict said = judge_chain(asked, rules->name);
      if (said.accepted) continue;
      verdict.accepted = false;
      verdict.reason = std::move(said.reason);
      break;
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace meshtrust::pki
