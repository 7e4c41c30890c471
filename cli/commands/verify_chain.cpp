#include "cli/commands/verify_chain.h"

#include "base/text.h"
#include "cli/exit_code.h"
#include "cli/observing.h"
#include "cli/proof.h"
#include "pki/container.h"
#include "pki/path/judge_chain.h"
#include "pki/rule.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace meshtrust::cli {
namespace {

using base::Json;
using base::Result;
using pki::ChainVerdict;

constexpr std::size_t kLargestFile = std::size_t{64} << 20U;
constexpr std::array kPurposes = {pki::Purpose::kAny, pki::Purpose::kServer, pki::Purpose::kClient};

base::Failure<base::Error> usage(std::string message) {
  return base::fail(base::Code::kUsage, std::move(message));
}

template <class Parse>
auto read(base::Files& files,
          const std::string& path,
          Parse parse,
          pki::Order order = pki::Order::kNone) -> decltype(parse("")) {
  MESHTRUST_TRY(const std::string text, files.read(path, kLargestFile));
  const auto pem = pki::as_pem(text, order);
  auto parsed = pem ? parse(*pem) : base::fail(pem.error());
  if (!parsed) return base::fail(with_context(std::move(parsed).error(), "'" + path + "'"));
  return parsed;
}

std::string shown_name(const pki::ReferenceName& name) {
  return name.form == pki::NameForm::kIp ? pki::ip_text(name.value) : name.value;
}

/// The verdicts, and whose decide.
struct Judgement {
  pki::ChainQuestion question;
  std::vector<ChainVerdict> verdicts;  ///< in the order of `chain_judges`
  std::vector<std::string> deciding;

  const ChainVerdict& own() const { return verdicts.front(); }
  /// What warns: nothing where others decide.
  bool warns() const { return decides(own()) && !own().findings.empty(); }
  bool decides(const ChainVerdict& verdict) const {
    return std::ranges::find(deciding, verdict.judge) != deciding.end();
  }
  bool accepted() const {
    return std::ranges::all_of(verdicts, [this](const ChainVerdict& verdict) {
      return verdict.accepted || !decides(verdict);
    });
  }
};

Json certificate_to_json(const pki::PathCertificate& certificate) {
  const pki::PathFacts& facts = certificate.facts();
  return {{"subject", facts.subject.text},
          {"serial", facts.serial},
          {"notAfter", base::format_rfc3339(facts.not_after)},
          {"fingerprint", facts.fingerprint}};
}

Json failure_to_json(const pki::PathFailure& failure) {
  return {{"id", failure.id()},
          {"role", name_of(failure.role)},
          {"depth", failure.depth},
          {"subject", failure.subject},
          {"fingerprint", failure.fingerprint},
          {"found", failure.found},
          {"wanted", failure.wanted},
          {"source", info_of(failure.check).source}};
}

/// A fault of profile on the path: by its rule of `lint`, and by the check that refuses it where
/// somebody is strict.
Json finding_to_json(const pki::PathFailure& finding) {
  return {{"id", info_of(finding.check).lint_rule},
          {"severity", name_of(pki::Severity::kWarning)},
          {"check", finding.id()},
          {"role", name_of(finding.role)},
          {"depth", finding.depth},
          {"subject", finding.subject},
          {"fingerprint", finding.fingerprint},
          {"message", finding.text()},
          {"found", finding.found},
          {"wanted", finding.wanted},
          {"source", info_of(finding.check).source}};
}

/// Whose model knows revocation lists.
bool knows_lists(std::string_view judge) {
  return judge == "meshtrust" || judge == "openssl" || judge == "botan";
}

Json verdict_to_json(const ChainVerdict& verdict, bool asks_revocation) {
  Json json = {{"judge", verdict.judge},
               {"accepted", verdict.accepted},
               {"reason", verdict.reason},
               {"revocationAsked", asks_revocation && knows_lists(verdict.judge)},
               {"failures", Json::array()}};
  for (const pki::PathFailure& failure : verdict.failures) {
    json["failures"].push_back(failure_to_json(failure));
  }
  return json;
}

Json to_json(const Judgement& judgement) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "ChainVerification"},
               {"accepted", judgement.accepted()},
               {"decidedBy", judgement.deciding},
               {"at", base::format_rfc3339(judgement.question.at)},
               {"purpose", name_of(judgement.question.purpose)},
               {"strict", judgement.question.is_strict},
               {"path", Json::array()},
               {"verdicts", Json::array()},
               {"findings", Json::array()}};
  if (judgement.question.name) {
    json["name"] = {{"type", name_of(judgement.question.name->form)},
                    {"value", shown_name(*judgement.question.name)}};
  }
  for (const pki::PathCertificate& one : judgement.own().path) {
    json["path"].push_back(certificate_to_json(one));
  }
  for (const ChainVerdict& verdict : judgement.verdicts) {
    json["verdicts"].push_back(verdict_to_json(verdict, judgement.question.asks_revocation));
  }
  for (const pki::PathFailure& finding : judgement.own().findings) {
    json["findings"].push_back(finding_to_json(finding));
  }
  return json;
}

std::string render(const Judgement& judgement) {
  const pki::PathFacts& leaf = judgement.question.chain.front().facts();
  const std::string subject = leaf.subject.empty() && !leaf.alternative_names.empty()
                                  ? leaf.alternative_names.front().text
                                  : leaf.subject.text;
  std::string text = fmt::format("{}: {}\n", judgement.accepted() ? "accepted" : "refused",
                                 base::printable(subject, 200));
  const auto& path = judgement.own().path;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const pki::PathFacts& facts = path[i].facts();
    text += fmt::format("{}{}  {}\n", std::string(2 * (i + 1), ' '),
                        base::printable(facts.subject.text, 200),
                        expiry_text(facts.not_after, judgement.question.at));
  }
  for (const pki::PathFailure& failure : judgement.own().failures) {
    text += "  " + base::one_line(failure.text()) + "\n";
  }
  text += "\n";
  for (const ChainVerdict& verdict : judgement.verdicts) {
    const bool is_blind = judgement.question.asks_revocation && !knows_lists(verdict.judge);
    text += fmt::format("{:<10} {}{}{}\n", verdict.judge, verdict.accepted ? "accepts" : "refuses",
                        verdict.accepted ? "" : ": " + base::printable(verdict.reason, 400),
                        is_blind && verdict.accepted ? " (not asked about revocation)" : "");
  }
  if (!judgement.own().findings.empty()) text += "\n";
  for (const pki::PathFailure& finding : judgement.own().findings) {
    text += fmt::format("warning: {} [{}]\n", base::one_line(finding.text()),
                        info_of(finding.check).lint_rule);
  }
  return text;
}

std::string subject_text(const Judgement& judgement) {
  return base::printable(judgement.question.chain.front().facts().subject.text, 200);
}

}  // namespace

void VerifyChain::declare(CLI::App& app) {
  app.add_option("--chain", chain_, "judge one certificate: PEM with it first, DER, or PKCS#7")
      ->option_text("LEAF_FIRST.pem");
  app.add_option("--root", roots_, "with --chain: the roots that are trusted")
      ->option_text("ROOTS.pem");
  app.add_option("--purpose", purpose_, "with --chain: what the certificate is to be used for")
      ->option_text("server|client|any");
  app.add_option(
         "--crl", crls_,
         "with --chain: revocation lists; then each certificate needs one (go, boringssl and "
         "webpki are not asked about them)")
      ->option_text("CRLS.pem");
  app.add_option("--max-depth", max_depth_,
                 "with --chain: most intermediates (default 100, and never more)")
      ->option_text("N")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--dns", dns_, "with --chain: the DNS name it must have")->option_text("NAME");
  app.add_option("--ip", ip_, "with --chain: the address it must have")->option_text("ADDR");
  app.add_option("--email", email_, "with --chain: the mail address it must have")
      ->option_text("ADDR");
  app.add_option("--uri", uri_, "with --chain: the URI it must have, as a SPIFFE identity")
      ->option_text("URI");
  app.add_flag("--strict", strict_,
               "with --chain: refuse what is not well made too, instead of warning about it");
  app.add_option("--as", as_, "with --chain: whose verdicts decide the exit instead of ours")
      ->delimiter(',')
      ->option_text("meshtrust,openssl,botan,go,boringssl,webpki");
}

bool VerifyChain::is_asked() const {
  return chain_ || roots_ || crls_ || purpose_ != "any" || dns_ || ip_ || email_ || uri_ ||
         !as_.empty() || max_depth_ || strict_;
}

namespace {

Result<pki::Purpose> purpose_from(const std::string& text) {
  const auto found = std::ranges::find_if(
      kPurposes, [&text](pki::Purpose purpose) { return name_of(purpose) == text; });
  if (found != kPurposes.end()) return *found;
  return usage("--purpose: found '" + base::printable(text, 60) +
               "', wanted server, client or any");
}

struct NameFlag {
  std::string_view flag;
  pki::NameForm form;
  const std::optional<std::string>& value;
};

/// The name asked for. An address given as a DNS name is compared as an address (RFC 9525 6.2).
Result<std::optional<pki::ReferenceName>> reference_from(const std::array<NameFlag, 4>& flags) {
  std::optional<pki::ReferenceName> name;
  for (const NameFlag& flag : flags) {
    if (!flag.value) continue;
    if (name) return usage("--dns, --ip, --email and --uri ask for one name: give one of them");
    if (flag.value->empty()) {
      return usage(fmt::format("{}: found '', wanted the name that is asked for", flag.flag));
    }
    name = pki::ReferenceName{.form = flag.form, .value = *flag.value};
    const bool may_be_address = flag.form == pki::NameForm::kIp || flag.form == pki::NameForm::kDns;
    const auto octets = may_be_address ? pki::ip_octets(*flag.value) : std::nullopt;
    if (octets) name = pki::ReferenceName{.form = pki::NameForm::kIp, .value = *octets};
    if (!octets && flag.form == pki::NameForm::kIp) {
      return usage("--ip: found '" + base::printable(*flag.value, 60) + "', wanted an address");
    }
  }
  return name;
}

base::Status refuse_those_without_lists(const std::vector<std::string>& deciding) {
  for (const std::string& judge : deciding) {
    if (knows_lists(judge)) continue;
    return usage("--crl with --as " + judge +
                 ": what it makes of revocation lists is not modelled; meshtrust, openssl and "
                 "botan are asked about them");
  }
  return {};
}

Result<std::vector<std::string>> deciding_from(const std::vector<std::string>& as) {
  if (as.empty()) return std::vector<std::string>{"meshtrust"};
  for (const std::string& judge : as) {
    if (std::ranges::find(pki::chain_judges(), judge) == pki::chain_judges().end()) {
      return usage("--as: found '" + base::printable(judge, 60) +
                   "', wanted meshtrust, openssl, botan, go, boringssl or webpki");
    }
  }
  return as;
}

}  // namespace

int VerifyChain::run(Session& session, const std::string& at) const {
  const auto judge = [&]() -> Result<Judgement> {
    if (!chain_ || !roots_) {
      return usage("judging a chain takes both --chain and --root");
    }
    Judgement judgement;
    pki::ChainQuestion& question = judgement.question;
    MESHTRUST_TRY(question.at, time_or_now(session, at));
    MESHTRUST_TRY(question.purpose, purpose_from(purpose_));
    MESHTRUST_TRY(question.name, reference_from({NameFlag{"--dns", pki::NameForm::kDns, dns_},
                                                 NameFlag{"--ip", pki::NameForm::kIp, ip_},
                                                 NameFlag{"--email", pki::NameForm::kEmail, email_},
                                                 NameFlag{"--uri", pki::NameForm::kUri, uri_}}));
    MESHTRUST_TRY(judgement.deciding, deciding_from(as_));
    if (crls_) MESHTRUST_TRY_DO(refuse_those_without_lists(judgement.deciding));
    question.most_intermediates = max_depth_;
    question.is_strict = strict_;
    base::Files& files = session.around.files;
    MESHTRUST_TRY(question.chain,
                  read(files, *chain_, pki::path_certificates_from_pem, pki::Order::kLeafFirst));
    MESHTRUST_TRY(question.anchors, read(files, *roots_, pki::path_certificates_from_pem));
    if (crls_) {
      MESHTRUST_TRY(question.crls, read(files, *crls_, pki::path_crls_from_pem));
      question.asks_revocation = true;
    }
    for (const std::string_view one : pki::chain_judges()) {
      judgement.verdicts.push_back(pki::judge_chain(question, one));
    }
    return judgement;
  };
  const Result<Judgement> judgement = judge();
  if (!judgement) {
    session.console().show(judgement.error());
    return exit_code_of(judgement.error().code);
  }
  session.answer(to_json(*judgement), render(*judgement));
  if (judgement->accepted()) return judgement->warns() ? kWarnings : kDone;
  for (const ChainVerdict& verdict : judgement->verdicts) {
    if (verdict.accepted || !judgement->decides(verdict)) continue;
    session.console().show(
        base::Error{.code = base::Code::kRefused,
                    .message = fmt::format("'{}' is refused by {}: {}", subject_text(*judgement),
                                           verdict.judge, base::printable(verdict.reason, 600))});
  }
  return kRefused;
}

}  // namespace meshtrust::cli
