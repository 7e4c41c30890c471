#include "istio/lint.h"

#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/lint_report.h"
#include "cli/observing.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Result;
using pki::Severity;

class LintCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    options_.declare(app, PaperOptions::Places::kMayBeMissing);
    app.add_option("--role", role_, "judge as root, intermediate, workload, crl or bundle")
        ->option_text("ROLE");
    app.add_flag("--list", list_, "show the table of rules (of one --role)");
    app.add_option("--explain", explain_, "tell all about one rule")->option_text("RULE");
    app.add_option("--waivers", waivers_, "findings that somebody answers for (YAML)")
        ->option_text("FILE");
    app.add_option("--fail-on", fail_on_, "critical, warning (default) or note")
        ->option_text("LEVEL");
    app.add_option("--at", at_, "judge for this time (RFC 3339; default now)")->option_text("TIME");
  }

  int run(Session& session) override {
    options_.passphrase.keep_from_children();
    const bool is_about_rules = list_ || !explain_.empty();
    if (is_about_rules && !options_.places.empty()) {
      session.console().show({.code = Code::kUsage,
                              .message = fmt::format("{} is about rules: it goes with no files",
                                                     list_ ? "--list" : "--explain"),
                              .hints = {fmt::format("leave '{}' out", options_.places.front())}});
      return kUsage;
    }
    if (!explain_.empty()) return show_rule(session);
    const auto role = read_role();
    if (!role) return refuse(session, {role.error()});
    if (list_) return show_rules(session, *role);
    const auto terms = read_terms(session, *role);
    if (!terms) return refuse(session, terms.error());
    return lint(session, *terms);
  }

 private:
  struct Terms {
    std::optional<pki::LintRole> role;
    Severity fail_on = Severity::kWarning;
    base::Instant at;
    std::vector<Waiver> waivers;
  };

  static int refuse(const Session& session, const base::Errors& errors) {
    session.console().show(errors);
    return exit_code_of(errors);
  }

  /// Nothing where none was said.
  Result<std::optional<pki::LintRole>> read_role() const {
    if (role_.empty()) return std::optional<pki::LintRole>();
    const auto role = pki::lint_role_from_name(role_);
    if (role) return role;
    return base::fail(Code::kUsage, fmt::format("--role: unknown role '{}'", role_),
                      "use root, intermediate, workload, crl or bundle");
  }

  Result<Terms, base::Errors> read_terms(const Session& session,
                                         std::optional<pki::LintRole> role) const {
    Terms terms;
    terms.role = role;
    const auto usage = [](std::string message, std::string hint) {
      return base::fail(base::Errors{
          {.code = Code::kUsage, .message = std::move(message), .hints = {std::move(hint)}}});
    };
    if (options_.places.empty()) {
      return usage("there is nothing to look at", "name files, folders or -; or say --list");
    }
    const auto fail_on = pki::severity_from_name(fail_on_);
    if (!fail_on) {
      return usage(fmt::format("--fail-on: unknown level '{}'", fail_on_),
                   "use critical, warning or note");
    }
    terms.fail_on = *fail_on;
    const auto at = time_or_now(session, at_);
    if (!at) return base::fail(base::Errors{at.error()});
    terms.at = *at;
    if (waivers_.empty()) return terms;
    const auto yaml = session.around.files.read(waivers_, 1U << 20U);
    if (!yaml) return base::fail(base::Errors{yaml.error()});
    MESHTRUST_TRY(terms.waivers, parse_waivers(waivers_, *yaml));
    return terms;
  }

  int lint(Session& session, Terms terms) const {
    const Papers papers = read_papers(session, options_);
    LintReport report = lint_papers(papers, terms.role, terms.at);
    apply_waivers(report, terms.waivers, waivers_, terms.at);
    ExitCode code = exit_code_of(papers.errors);
    for (const pki::Remark& remark : papers.remarks) {
      session.console().warn(text_of(remark));
    }
    session.console().show(papers.errors);
    if (report.looked_at() == 0 && papers.errors.empty()) {
      session.console().show(
          {.code = Code::kInvalidInput,
           .message = "found nothing to judge: no certificate, revocation list or bundle" +
                      (role_.empty() ? "" : fmt::format(" for the role '{}'", role_))});
      return kBadInput;
    }
    if (report.looked_at() > 0) session.answer(to_json(report), render(report));
    const auto worst = report.worst();
    if (worst && *worst >= terms.fail_on) {
      code = more_telling(code, *worst == Severity::kError ? kRefused : kWarnings);
    }
    return code;
  }

  static int show_rules(const Session& session, std::optional<pki::LintRole> role) {
    std::vector<pki::Rule> rules;
    base::Json items = base::Json::array();
    std::string names;
    for (const pki::Rule& rule : istio::all_rules()) {
      if (role && !rule.roles.has(*role)) continue;
      rules.push_back(rule);
      items.push_back(to_json(rule));
      names += fmt::format("{}\n", rule.id);
    }
    session.answer(
        {{"apiVersion", "meshtrust/v1"}, {"kind", "LintRuleList"}, {"items", std::move(items)}},
        session.output == Output::kName ? names : render_rules(rules));
    return kDone;
  }

  int show_rule(const Session& session) const {
    const pki::Rule* rule = istio::find_rule(explain_);
    if (rule == nullptr) {
      std::vector<std::string> ids;
      for (const pki::Rule& each : istio::all_rules()) {
        ids.emplace_back(each.id);
      }
      const auto meant = base::nearest(explain_, ids);
      session.console().show({.code = Code::kUsage,
                              .message = fmt::format("there is no rule '{}'", explain_),
                              .hints = {meant ? fmt::format("did you mean '{}'?", *meant)
                                              : "'meshtrust lint --list' shows them"}});
      return kUsage;
    }
    base::Json json = to_json(*rule);
    json["apiVersion"] = "meshtrust/v1";
    json["kind"] = "LintRule";
    session.answer(json, explain(*rule));
    return kDone;
  }

  PaperOptions options_;
  std::string role_;
  bool list_ = false;
  std::string explain_;
  std::string waivers_;
  std::string fail_on_ = "warning";
  std::string at_;
};

}  // namespace

CommandEntry lint_command() {
  return {.name = "lint",
          .group = "Files and keys",
          .summary = "what is wrong with certificates, CRLs and bundles",
          .details =
              "Holds certificates, revocation lists and bundles against a table of rules: RFC "
              "5280, the "
              "SPIFFE X.509-SVID specification, what istiod does on loading, and every point on "
              "which the verifiers "
              "of a mesh disagree, with who refuses. Reads what 'inspect' reads. Certificates are "
              "judged as what they say they are; ca-cert.pem, cert-chain.pem and root-cert.pem in "
              "one place also as a bundle, and so are tls.crt and ca.crt.\n"
              "Exits with 4 when a finding is critical, 3 for a warning, 0 otherwise; --fail-on "
              "moves the bar. A waiver names a rule, a fingerprint (or '*'), a reason and the "
              "last day on which it counts; one that has ended or meets nothing is a finding.",
          .examples = {{"A folder of bundles", "meshtrust lint east/ west/"},
                       {"One rule in full", "meshtrust lint --explain key-usage-crl-sign"},
                       {"In a pipeline, with known exceptions",
                        "meshtrust lint east/ --waivers waivers.yaml --fail-on critical -o json"}},
          .files = {"FILE...  read",
                    "waivers  a list of {rule, fingerprint, reason, expires} below 'waivers:'"},
          .make = make_command<LintCommand>};
}

}  // namespace meshtrust::cli
