#include "pki/path/imagined_workload.h"

#include "pki/imagined_leaf.h"
#include "pki/path/judge_chain.h"
#include "pki/path/rules_ztunnel.h"
#include "pki/path/search.h"

#include <algorithm>
#include <array>
#include <string>

namespace meshtrust::pki {
namespace {

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

/// Without it nobody can verify what its key signs, and nobody need be asked.
bool is_at_hand(const WorkloadQuestion& question) {
  const CertificateFacts& wanted = question.authority.facts();
  const auto is_it = [&wanted](const Certificate& one) {
    return one.facts().key_id == wanted.key_id && one.facts().subject_der == wanted.subject_der;
  };
  return std::ranges::any_of(question.shown, is_it) || std::ranges::any_of(question.roots, is_it);
}

std::array<const Rules*, 3> rules_of_a_mesh() {
  return {&go_rules(), &boringssl_rules(), &ztunnel_rules()};
}

std::vector<Verdict> all_refuse(const std::string& reason) {
  std::vector<Verdict> verdicts{{.judge = "openssl", .accepted = false, .reason = reason}};
  for (const Rules* rules : rules_of_a_mesh()) {
    verdicts.push_back({.judge = std::string(rules->name), .accepted = false, .reason = reason});
  }
  return verdicts;
}

/// What `ask` says of the question in both roles.
template <class Ask>
Verdict judge_both_roles(ChainQuestion& asked, std::string_view judge, Ask ask) {
  for (const Purpose purpose : {Purpose::kServer, Purpose::kClient}) {
    asked.purpose = purpose;
    ChainVerdict said = ask(asked);
    if (said.accepted) continue;
    return {.judge = std::string(judge), .accepted = false, .reason = std::move(said.reason)};
  }
  return {.judge = std::string(judge), .accepted = true, .reason = {}};
}

/// Adds what the models of a mesh say.
void judge_by_models(ChainQuestion& asked, std::vector<Verdict>& verdicts) {
  for (const Rules* rules : rules_of_a_mesh()) {
    verdicts.push_back(judge_both_roles(asked, rules->name, [rules](const ChainQuestion& question) {
      return judge_by_rules(question, *rules);
    }));
  }
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

std::vector<Verdict> judge_imagined_workload(const WorkloadQuestion& question) {
  if (!is_at_hand(question)) {
    return all_refuse("no certificate of '" + question.authority.facts().subject +
                      "' with the key that signs is shown or trusted");
  }
  const auto leaf = imagine_leaf(question.authority, question.at);
  if (!leaf) return all_refuse(leaf.error().message);
  TrustQuestion trust{.chain = {*leaf}, .roots = question.roots, .at = question.at};
  trust.chain.insert(trust.chain.end(), question.shown.begin(), question.shown.end());
  ChainQuestion asked = as_question(trust);
  asked.leaf_signer = PathCertificate::from(question.authority).facts().key.info;
  std::vector<Verdict> verdicts{judge_imagined_with_openssl(trust, question.authority)};
  judge_by_models(asked, verdicts);
  return verdicts;
}

std::vector<Verdict> judge_presented_workload(const TrustQuestion& question) {
  ChainQuestion asked = as_question(question);
  std::vector<Verdict> verdicts{judge_both_roles(asked, "openssl", &ask_openssl)};
  judge_by_models(asked, verdicts);
  return verdicts;
}

}  // namespace meshtrust::pki
