#include "cli/lint_report.h"

#include "base/text.h"
#include "cli/help.h"
#include "istio/acceptance.h"
#include "istio/foreign_blocks.h"
#include "istio/lint.h"
#include "istio/names.h"
#include "pki/chain.h"
#include "pki/family.h"
#include "pki/lint.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace meshtrust::cli {
namespace {

using pki::Certificate;
using pki::LintRole;
using pki::Severity;

constexpr std::string_view kExpiredWaiver = "waiver-expired";
constexpr std::string_view kUnusedWaiver = "waiver-unused";

/// "east/ca-cert.pem#2" to "east/" when `file` is "ca-cert.pem".
std::optional<std::string> place_of(std::string_view source, std::string_view file) {
  const std::size_t mark = source.rfind('#');
  const bool is_numbered =
      mark != std::string_view::npos &&
      source.find_first_not_of("0123456789", mark + 1) == std::string_view::npos;
  if (is_numbered) source = source.substr(0, mark);
  if (!source.ends_with(file)) return std::nullopt;
  return std::string(source.substr(0, source.size() - file.size()));
}

class Linter {
 public:
  Linter(const Papers& papers, std::optional<LintRole> role, base::Instant at)
      : papers_(papers), role_(role), at_(at), family_(pki::find_family(papers.certificates())) {
    for (std::size_t i = 0; i < family_.members.size(); ++i) {
      if (!family_.members[i].is_ca()) continue;
      authorities_.emplace(family_.members[i].facts().subject, i);
      if (family_.issuer[i]) uppers_.insert(*family_.issuer[i]);
    }
  }

  LintReport run() {
    std::size_t number = 0;
    for (const pki::InspectedObject& object : papers_.objects) {
      if (std::holds_alternative<Certificate>(object.what)) {
        lint_certificate(family_.place[number++], object.source);
      } else if (const auto* list = std::get_if<pki::RevocationList>(&object.what)) {
        lint_list(*list, object.source);
      }
    }
    lint_bundles();
    return std::move(report_);
  }

 private:
  bool wants(LintRole role) const { return !role_ || *role_ == role; }
  bool asks_for_certificates() const { return !role_ || pki::kCertificates.has(*role_); }

  void add(std::vector<pki::LintFinding> findings,
           LintRole role,
           const std::string& source,
           const std::string& subject,
           const std::string& fingerprint) {
    for (pki::LintFinding& finding : findings) {
      report_.entries.push_back({.finding = std::move(finding),
                                 .role = role,
                                 .source = source,
                                 .subject = subject,
                                 .fingerprint = fingerprint,
                                 .waived_because = {}});
    }
  }

  void lint_certificate(std::size_t member, const std::string& source) {
    if (!asks_for_certificates() || !seen_.insert(member).second) return;
    const Certificate& certificate = family_.members[member];
    const LintRole role = role_.value_or(claimed_role(certificate, source));
    ++report_.certificates;
    auto findings = pki::lint({.certificate = certificate,
                               .role = role,
                               .issuer = role == LintRole::kRoot ? nullptr : issuer_of(member),
                               .at = at_});
    if (uppers_.contains(member)) {  // it has issued another CA, and so must leave room for it
      std::erase_if(findings,
                    [](const auto& each) { return each.rule == "intermediate-path-length"; });
    }
    add(std::move(findings), role, source, certificate.facts().subject, certificate.fingerprint());
  }

  /// What it says it is; in the files of a bundle there are CAs alone, even bad ones.
  static LintRole claimed_role(const Certificate& certificate, const std::string& source) {
    const LintRole says = pki::role_of(certificate);
    const bool is_of_bundle = place_of(source, istio::kCaCertFile) ||
                              place_of(source, istio::kCertChainFile) ||
                              place_of(source, istio::kRootCertFile);
    if (!is_of_bundle || says != LintRole::kWorkload) return says;
    return certificate.is_self_signed() ? LintRole::kRoot : LintRole::kIntermediate;
  }

  /// By signature; or else the only CA of the name that it gives, so that a wrong identifier or
  /// encoding is found too.
  const Certificate* issuer_of(std::size_t member) const {
    if (const Certificate* issuer = family_.issuer_of(member)) {
      const Certificate& own = family_.members[member];
      const bool is_renewed = pki::names_another_serial(own, *issuer);
      return is_renewed ? pki::find_issuer(own, family_.members) : issuer;
    }
    const auto [begin, end] = authorities_.equal_range(family_.members[member].facts().issuer);
    if (begin == end || std::next(begin) != end || begin->second == member) return nullptr;
    return &family_.members[begin->second];
  }

  void lint_list(const pki::RevocationList& list, const std::string& source) {
    if (!wants(LintRole::kList)) return;
    const Certificate* issuer = nullptr;
    for (const Certificate& each : family_.members) {
      if (each.facts().subject_der != list.facts().issuer_der) continue;
      if (issuer == nullptr || list.is_signed_by(each)) issuer = &each;
    }
    ++report_.lists;
    add(pki::lint({.list = list, .issuer = issuer, .at = at_}), LintRole::kList, source,
        list.facts().issuer, list.facts().fingerprint);
  }

  /// The files of one place, by name.
  using Files = std::map<std::string_view, std::string>;

  void lint_bundles() {
    if (!wants(LintRole::kBundle)) return;
    std::map<std::string, Files> places;
    for (const auto& [source, text] : papers_.bundle_files) {
      for (const std::string_view name :
           {istio::kCaCertFile, istio::kCertChainFile, istio::kRootCertFile, istio::kCaCrlFile,
            istio::kTlsCertFile, istio::kTlsRootFile}) {
        if (const auto place = place_of(source, name)) places[*place].emplace(name, text);
      }
    }
    for (const auto& [place, files] : places) {
      lint_files(place, files);
    }
  }

  void lint_files(const std::string& place, const Files& files) {
    const auto has = [&files](std::string_view name) { return files.contains(name); };
    const auto text = [&files](std::string_view name) {
      const auto found = files.find(name);
      return found == files.end() ? std::string() : found->second;
    };
    const bool is_whole =
        has(istio::kCaCertFile) && has(istio::kCertChainFile) && has(istio::kRootCertFile);
    if (is_whole) {
      lint_bundle(place,
                  {.ca_cert = text(istio::kCaCertFile),
                   .cert_chain = text(istio::kCertChainFile),
                   .root_cert = text(istio::kRootCertFile),
                   .ca_crl = text(istio::kCaCrlFile)},
                  istio::BundleForm::kPem);
    } else {
      lint_parts(place, files);
    }
    const std::string tls = text(istio::kTlsCertFile);
    const std::string tls_roots = text(istio::kTlsRootFile);
    if (has(istio::kTlsRootFile) && begins_with_authority(tls)) {
      lint_bundle(
          place,
          {.ca_cert = tls, .cert_chain = tls + tls_roots, .root_cert = tls_roots, .ca_crl = {}},
          istio::BundleForm::kTls);
    }
  }

  /// Any server's certificate may lie in a tls.crt.
  static bool begins_with_authority(const std::string& pem) {
    const auto certificates = pki::certificates_from_pem(pem);
    return certificates && certificates->front().is_ca();
  }

  void lint_parts(const std::string& place, const Files& files) {
    for (const auto& [name, text] : files) {
      if (name == istio::kTlsCertFile || name == istio::kTlsRootFile) continue;
      const auto problems = istio::problems_of_foreign_blocks(name, text);
      add(findings_of(problems), LintRole::kBundle, place + std::string(name), "", "");
    }
  }

  static std::vector<pki::LintFinding> findings_of(
      const std::vector<istio::BundleProblem>& problems) {
    std::vector<pki::LintFinding> findings;
    for (const istio::BundleProblem& problem : problems) {
      const pki::Rule* rule = istio::find_rule(problem.code);
      if (!rule->roles.has(LintRole::kBundle)) continue;
      findings.push_back({.rule = problem.code,
                          .severity = problem.severity,
                          .source = std::string(rule->source),
                          .message = problem.message});
    }
    return findings;
  }

  /// What is wrong with single certificates and lists has been said: here follows what is wrong
  /// with all together.
  void lint_bundle(const std::string& place,
                   const istio::PublicBundle& bundle,
                   istio::BundleForm form) {
    ++report_.bundles;
    const istio::BundleVerdict verdict =
        istio::judge_bundle({.bundle = bundle, .at = at_, .form = form});
    if (verdict.works()) spare_ended_roots(verdict.parsed->roots);
    std::string name = place;
    while (name.ends_with('/') || name.ends_with(' ') || name.ends_with(':')) {
      name.pop_back();
    }
    add(findings_of(verdict.problems), LintRole::kBundle, name.empty() ? "." : name, "",
        verdict.parsed ? verdict.parsed->ca_cert.fingerprint() : "");
  }

  /// A root that has ended beside one that everything hangs on breaks nothing: that is told of the
  /// bundle, as `verify --bundle` does.
  void spare_ended_roots(const std::vector<Certificate>& roots) {
    std::erase_if(report_.entries, [&roots](const LintEntry& entry) {
      return entry.finding.rule == "expired" &&
             std::ranges::find(roots, entry.fingerprint, &Certificate::fingerprint) != roots.end();
    });
  }

  const Papers& papers_;
  std::optional<LintRole> role_;
  base::Instant at_;
  pki::Family family_;
  std::multimap<std::string, std::size_t> authorities_;  ///< by subject
  std::set<std::size_t> uppers_;                         ///< issuers of other CAs
  std::set<std::size_t> seen_;
  LintReport report_;
};

/// "2 certificates, 1 revocation list and 1 bundle".
std::string looked_at_in(const LintReport& report) {
  std::vector<std::string> parts;
  const auto add = [&parts](std::size_t number, std::string_view noun) {
    if (number > 0) parts.push_back(base::count_of(number, noun));
  };
  add(report.certificates, "certificate");
  add(report.lists, "revocation list");
  add(report.bundles, "bundle");
  if (parts.empty()) return "nothing";
  std::string last = std::move(parts.back());
  parts.pop_back();
  return parts.empty() ? last : base::join(parts, ", ") + " and " + last;
}

std::string summary_of(const LintReport& report) {
  std::array<std::size_t, 3> counts{};
  std::size_t waived = 0;
  for (const LintEntry& entry : report.entries) {
    if (!entry.waived_because.empty()) {
      ++waived;
    } else {
      ++counts.at(static_cast<std::size_t>(entry.finding.severity));
    }
  }
  std::string text =
      fmt::format("{} looked at: {} critical, {}, {}", looked_at_in(report), counts[2],
                  base::count_of(counts[1], "warning"), base::count_of(counts[0], "note"));
  return text + (waived == 0 ? "\n" : fmt::format(", {} waived\n", waived));
}

std::string roles_of(const pki::Rule& rule) {
  std::vector<std::string> names;
  for (const LintRole role : rule.roles.list()) {
    names.emplace_back(name_of(role));
  }
  if (names.empty()) return "waivers";
  return base::join(names, ", ");
}

}  // namespace

std::optional<Severity> LintReport::worst() const {
  std::optional<Severity> worst;
  for (const LintEntry& entry : entries) {
    if (entry.waived_because.empty()) {
      worst = std::max(worst, std::optional(entry.finding.severity));
    }
  }
  return worst;
}

LintReport lint_papers(const Papers& papers, std::optional<LintRole> role, base::Instant at) {
  return Linter(papers, role, at).run();
}

void apply_waivers(LintReport& report,
                   std::vector<Waiver>& waivers,
                   const std::string& file,
                   base::Instant at) {
  for (LintEntry& entry : report.entries) {
    for (Waiver& waiver : waivers) {
      if (!waiver.meets(entry.finding.rule, entry.fingerprint)) continue;
      waiver.used = true;
      if (at < waiver.expires) entry.waived_because = waiver.reason;
    }
  }
  for (const Waiver& waiver : waivers) {
    const bool expired = at >= waiver.expires;
    if (waiver.used && !expired) continue;
    const std::string message =
        expired ? fmt::format("the waiver of '{}' ended on {}", waiver.rule,
                              base::format_date(waiver.expires - base::Seconds(1)))
                : fmt::format("the waiver of '{}' meets nothing", waiver.rule);
    report.entries.push_back(
        {.finding = {.rule = std::string(expired ? kExpiredWaiver : kUnusedWaiver),
                     .severity = expired ? Severity::kWarning : Severity::kNote,
                     .source = "waivers",
                     .message = message},
         .role = LintRole::kBundle,
         .source = fmt::format("{}:{}", file, waiver.line),
         .subject = {},
         .fingerprint = waiver.fingerprint == "*" ? "" : waiver.fingerprint,
         .waived_because = {}});
  }
}

std::string render(const LintReport& report) {
  std::string text;
  std::string heading;
  for (const LintEntry& entry : report.entries) {
    const bool is_waiver = entry.finding.source == "waivers";
    const std::string kind = is_waiver ? "" : fmt::format(" ({})", name_of(entry.role));
    const std::string now = base::printable(entry.source, 400) +
                            (entry.subject.empty() ? "" : ": " + base::printable(entry.subject)) +
                            kind + "\n";
    if (now != heading) text += now;
    heading = now;
    const pki::Rule* rule = istio::find_rule(entry.finding.rule);
    std::string clause = entry.finding.source;
    if (rule != nullptr && !rule->refused_by.empty()) {
      clause += fmt::format("; refused by {}", rule->refused_by);
    }
    const std::string label = entry.waived_because.empty()
                                  ? std::string(name_of(entry.finding.severity))
                                  : std::string("waived");
    text += fmt::format("  {:<9} {}: {}\n", label, entry.finding.rule,
                        base::one_line(entry.finding.message));
    if (!entry.waived_because.empty()) {
      text += fmt::format("  {:<9} because {}\n", "", base::printable(entry.waived_because));
    } else if (!is_waiver) {
      text += fmt::format("  {:<9} {}\n", "", clause);
    }
  }
  return text + summary_of(report);
}

base::Json to_json(const LintReport& report) {
  base::Json items = base::Json::array();
  for (const LintEntry& entry : report.entries) {
    const pki::Rule* rule = istio::find_rule(entry.finding.rule);
    base::Json item = {{"rule", entry.finding.rule},
                       {"severity", name_of(entry.finding.severity)},
                       {"clause", entry.finding.source},
                       {"message", entry.finding.message},
                       {"source", entry.source},
                       {"role", name_of(entry.role)},
                       {"waived", !entry.waived_because.empty()}};
    if (!entry.subject.empty()) item["subject"] = entry.subject;
    if (!entry.fingerprint.empty()) item["fingerprint"] = entry.fingerprint;
    if (!entry.waived_because.empty()) item["reason"] = entry.waived_because;
    if (rule != nullptr && !rule->refused_by.empty()) item["refusedBy"] = rule->refused_by;
    items.push_back(std::move(item));
  }
  const auto worst = report.worst();
  return {{"apiVersion", "meshtrust/v1"},
          {"kind", "LintReport"},
          {"lookedAt", report.looked_at()},
          {"worst", worst ? base::Json(name_of(*worst)) : base::Json()},
          {"items", std::move(items)}};
}

std::string render_rules(const std::vector<pki::Rule>& rules) {
  std::string text;
  for (const pki::Rule& rule : rules) {
    text += fmt::format("{:<9} {:<34} {}\n{:<9} {:<34} {}; {}\n", name_of(rule.severity), rule.id,
                        rule.summary, "", "", roles_of(rule), rule.source);
  }
  return text;
}

std::string explain(const pki::Rule& rule) {
  std::string text =
      fmt::format("{}: {}\n\n  severity    {}\n  applies to  {}\n  source      {}\n", rule.id,
                  rule.summary, name_of(rule.severity), roles_of(rule), rule.source);
  if (!rule.refused_by.empty()) text += fmt::format("  refused by  {}\n", rule.refused_by);
  return text + fmt::format("\n{}", wrapped(rule.why, "  "));
}

base::Json to_json(const pki::Rule& rule) {
  base::Json roles = base::Json::array();
  for (const LintRole role : rule.roles.list()) {
    roles.push_back(name_of(role));
  }
  return {{"id", rule.id},          {"severity", name_of(rule.severity)},
          {"source", rule.source},  {"summary", rule.summary},
          {"appliesTo", roles},     {"refusedBy", rule.refused_by},
          {"explanation", rule.why}};
}

}  // namespace meshtrust::cli
