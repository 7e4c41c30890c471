#include "cli/judged_bundle.h"

#include "base/text.h"
#include "cli/console.h"
#include "cli/proof.h"
#include "mesh/check/material.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Json;
using istio::Answer;

std::string workloads_line(const istio::BundleVerdict& verdict) {
  if (verdict.workloads() == Answer::kUnknown) {
    return "workloads: not known, there are no certificates to ask about\n";
  }
  std::vector<std::string> accepting;
  std::vector<std::string> refusing;
  for (const pki::Verdict& one : verdict.workload_verdicts) {
    (one.accepted ? accepting : refusing).push_back(one.judge);
  }
  if (refusing.empty()) {
    return fmt::format("workloads: accepted by {}, as server and as client\n",
                       base::join(accepting, ", "));
  }
  return fmt::format("workloads: refused by {}\n", base::join(refusing, ", "));
}

std::string safety_line(const istio::BundleVerdict& verdict) {
  switch (verdict.safety()) {
    case Answer::kYes:
      return "safe: yes\n";
    case Answer::kUnknown:
      return "safe: not known\n";
    case Answer::kNo:
      break;
  }
  std::vector<std::string> codes;
  for (const istio::BundleProblem& one : verdict.problems) {
    if (one.is_unsafe && std::ranges::find(codes, one.code) == codes.end()) {
      codes.push_back(one.code);
    }
  }
  return fmt::format("safe: no ({})\n", base::join(codes, ", "));
}

std::string certificates_table(const JudgedBundle& judged, base::Instant at) {
  const istio::FileNames& files = istio::file_names(judged.paths.form);
  std::vector<std::vector<std::string>> rows{{"FILE", "SUBJECT", "EXPIRES"}};
  const auto add = [&rows, at](std::string_view file, const pki::Certificate& certificate) {
    rows.push_back({std::string(file), base::printable(certificate.facts().subject),
                    expiry_text(certificate.facts().not_after, at)});
  };
  add(files.ca_cert, judged.verdict.parsed->ca_cert);
  for (const auto& one : judged.verdict.parsed->cert_chain) {
    add(files.cert_chain, one);
  }
  for (const auto& one : judged.verdict.parsed->roots) {
    add(files.root_cert, one);
  }
  return table(rows);
}

std::string verdict_line(const pki::Verdict& said, std::string_view remark) {
  return fmt::format("{}: {}{}{}\n", said.judge, said.accepted ? "accepted" : "refused", remark,
                     said.accepted ? "" : ": " + base::one_line(said.reason));
}

/// The answers that are no because of `problem`.
Json concerns_of(const istio::BundleProblem& problem) {
  Json list = Json::array();
  if (problem.stops_istiod) list.push_back("istiod");
  if (problem.breaks_workloads) list.push_back("workloads");
  if (problem.is_unsafe) list.push_back("safe");
  return list;
}

std::string_view workloads_word(Answer answer) {
  if (answer == Answer::kUnknown) return name_of(answer);
  return answer == Answer::kYes ? "accepted" : "refused";
}

Json to_json(const pki::Verdict& said, bool decides) {
  return {{"judge", said.judge},
          {"accepted", said.accepted},
          {"reason", said.reason},
          {"decides", decides}};
}

}  // namespace

void judge_files(base::Files& files, const BundleTerms& terms, JudgedBundle& judged) {
  const auto found = read_bundle(files, judged.paths);
  if (!found) {
    judged.unreadable = found.error();
    return;
  }
  if (!found->missing.empty()) {
    judged.verdict = istio::judge_incomplete(found->missing, terms.version);
    return;
  }
  const istio::PublicBundle& open = found->bundle.certificates;
  istio::BundleQuestion question{.bundle = open,
                                 .key = istio::match_key(found->bundle.ca_key, open),
                                 .why_unreadable = istio::objection_to_key(found->bundle.ca_key),
                                 .at = terms.at,
                                 .version = terms.version,
                                 .form = found->form};
  if (terms.loaded) {
    question.running.emplace(
        istio::Running{.bundle = *terms.loaded, .multi_root = terms.multi_root});
  }
  judged.verdict = istio::judge_bundle(question);
  judged.root_cert = open.root_cert;
  const auto& said = judged.verdict.workload_verdicts;
  const bool has_lists =
      std::ranges::find(said, istio::kListsJudge, &pki::Verdict::judge) != said.end();
  if (has_lists) judged.ca_crl = open.ca_crl;
}

std::string render(const JudgedBundle& judged, const BundleTerms& terms) {
  const istio::BundleVerdict& verdict = judged.verdict;
  std::string text = fmt::format("{}\nistiod {} {}\n", base::printable(judged.paths.name, 400),
                                 terms.version.text(), sentence_of(verdict.outcome));
  if (verdict.reload) {
    text += fmt::format("a running one {}\n", *verdict.reload == istio::LoadOutcome::kLoads
                                                  ? "takes it without a restart"
                                                  : "ignores it until a restart");
  }
  text += workloads_line(verdict) + safety_line(verdict);
  if (verdict.parsed) text += "\n" + certificates_table(judged, terms.at) + "\n";
  for (const pki::Verdict& one : verdict.workload_verdicts) {
    text += verdict_line(one, "");
  }
  if (verdict.own_verdict) text += verdict_line(*verdict.own_verdict, " (advice)");
  return text;
}

Json to_json(const JudgedBundle& judged, const BundleTerms& terms) {
  const istio::BundleVerdict& verdict = judged.verdict;
  const Answer safety = verdict.safety();
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "BundleVerification"},
               {"bundle", judged.paths.name},
               {"istioVersion", terms.version.text()},
               {"istiod", name_of(verdict.outcome)},
               {"workloads", workloads_word(verdict.workloads())},
               {"safe", safety == Answer::kUnknown ? Json() : Json(safety == Answer::kYes)},
               {"good", verdict.is_good()},
               {"problems", Json::array()},
               {"verdicts", Json::array()}};
  if (verdict.reload) json["reload"] = name_of(*verdict.reload);
  if (judged.unreadable) json["error"] = judged.unreadable->message;
  for (const istio::BundleProblem& problem : verdict.problems) {
    json["problems"].push_back({{"code", problem.code},
                                {"severity", pki::name_of(problem.severity)},
                                {"concerns", concerns_of(problem)},
                                {"message", problem.message}});
  }
  for (const pki::Verdict& one : verdict.workload_verdicts) {
    json["verdicts"].push_back(to_json(one, true));
  }
  if (verdict.own_verdict) json["verdicts"].push_back(to_json(*verdict.own_verdict, false));
  return json;
}

std::vector<mesh::Finding> findings_of(const JudgedBundle& judged, bool is_one_of_many) {
  std::vector<mesh::Finding> findings;
  for (const istio::BundleProblem& problem : judged.verdict.problems) {
    findings.push_back(mesh::finding_about(problem, is_one_of_many ? judged.paths.name : ""));
  }
  return findings;
}

}  // namespace meshtrust::cli
