#include "istio/acceptance.h"

#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "istio/foreign_blocks.h"
#include "istio/lint.h"
#include "istio/names.h"
#include "istio/reload.h"
#include "pki/path/imagined_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace meshtrust::istio {
namespace {

using pki::Certificate;
using pki::Severity;

/// Collects what is wrong; one instance judges one bundle.
class Judge {
 public:
  explicit Judge(const BundleQuestion& question) : question_(question) {}

  BundleVerdict judge() {
    add_all(problems_of_foreign_blocks(question_));
    if (!read_files()) return std::move(verdict_);
    judge_files();
    ask_verifiers();
    const JudgedBundle bundle = so_far();
    judge_signing_certificate(bundle);
    add_all(problems_of_certificates(bundle));
    judge_key();
    judge_load();
    add_all(problems_of_chain(bundle));
    add_all(problems_of_roots(bundle));
    add_all(problems_of_times(bundle));
    judge_lists(bundle);
    explain_refusals();
    advise();
    judge_reload();
    return std::move(verdict_);
  }

 private:
  const ParsedBundle& parsed() const { return *verdict_.parsed; }
  const FileNames& files() const { return file_names(question_.form); }

  void add(BundleProblem problem) {
    if (problem.stops_istiod) verdict_.outcome = LoadOutcome::kRefusesToStart;
    verdict_.problems.push_back(std::move(problem));
  }
  void add_all(std::vector<BundleProblem> problems) {
    std::ranges::for_each(problems, [this](BundleProblem& each) { add(std::move(each)); });
  }
  void report(std::string_view code, std::string message, bool stops = false) {
    add(bundle_problem(code, std::move(message), stops));
  }
  void stop(std::string_view code, std::string message) { report(code, std::move(message), true); }

  /// A chain file without a certificate is taken; what else cannot be read is not.
  bool read_files() {
    PublicBundle bundle = question_.bundle;
    const bool is_tls = question_.form == BundleForm::kTls;
    if (is_tls && !bundle.ca_cert.ends_with('\n')) {
      stop(
          "unreadable-file",
          fmt::format("{} does not end in a newline: istiod joins it with {} as they are, and what "
                      "comes of it is no PEM",
                      kTlsCertFile, kTlsRootFile));
      return false;
    }
    const bool is_chain_empty = base::trim(bundle.cert_chain).empty();
    if (is_chain_empty) bundle.cert_chain = bundle.ca_cert;
    auto parsed = parse_bundle(bundle, question_.form);
    if (!parsed) {
      stop("unreadable-file", parsed.error().message);
      return false;
    }
    verdict_.parsed = std::move(*parsed);
    if (is_chain_empty) verdict_.parsed->cert_chain.clear();
    return true;
  }

  void judge_files() {
    const auto ends_in_newline = [this](std::string_view name, std::string_view pem) {
      if (pem.empty() || pem.ends_with('\n')) return;
      report("no-final-newline", fmt::format("{} does not end in a newline", name));
    };
    const bool is_pem = question_.form == BundleForm::kPem;
    ends_in_newline(files().ca_cert, question_.bundle.ca_cert);
    if (is_pem) ends_in_newline(files().cert_chain, question_.bundle.cert_chain);
    ends_in_newline(files().root_cert, question_.bundle.root_cert);
    const auto all = pki::certificates_from_pem(question_.bundle.ca_cert);
    if (is_pem && all && all->size() > 1) {
      report("ca-cert-not-alone",
             fmt::format("{} holds {}, of which istiod reads the first", files().ca_cert,
                         base::count_of(all->size(), "certificate")));
    }
  }

  /// Everybody whose word counts is asked first: what is said afterwards explains it, or is advice.
  void ask_verifiers() {
    static constexpr std::array<std::string_view, 2> kJudges = {"go", "meshtrust"};
    auto said = pki::judge_authority(
        {.chain = parsed().signing_path(), .roots = parsed().roots, .at = question_.at}, kJudges);
    load_ = std::move(said.front());
    verdict_.own_verdict = std::move(said.back());
    verdict_.workload_verdicts = judge_workloads(parsed(), parsed().roots, question_.at);
  }

  JudgedBundle so_far() const {
    return {.question = question_,
            .certificates = parsed(),
            .said = verdict_.workload_verdicts,
            .path = path_of(parsed(), question_.at),
            .works = load_.accepted && pki::all_accept(verdict_.workload_verdicts)};
  }

  void judge_signing_certificate(const JudgedBundle& bundle) {
    const auto& facts = parsed().ca_cert.facts();
    if (!parsed().ca_cert.is_ca()) {
      stop("not-a-ca", fmt::format("{}: '{}' is not a CA certificate (basicConstraints CA:TRUE)",
                                   files().ca_cert, facts.subject));
      verdict_.problems.back().breaks_workloads = verdict_.workloads() == Answer::kNo;
    }
    // Go asks every certificate on the way, its own CA as if it were a server's.
    for (const Certificate& one : bundle.path) {
      const auto& usage = one.facts().extended_key_usage;
      const bool serves = std::ranges::find(usage, "serverAuth") != usage.end() ||
                          std::ranges::find(usage, "anyExtendedKeyUsage") != usage.end();
      if (usage.empty() || serves) continue;
      stop("usage-stops-istiod",
           fmt::format("'{}': extended key usage is {}, wanted none, or serverAuth among them",
                       one.facts().subject, base::join(usage, ", ")));
    }
    if (!facts.subject_key_id) {
      report("subject-key-id-present",
             fmt::format("{}: has no subject key identifier", files().ca_cert));
    }
  }

  void judge_key() {
    switch (question_.key) {
      case KeyMatch::kOfRoot:
        stop(
            "key-of-another-certificate",
            fmt::format("{} is the key of a root in {}, and does not belong to {}: with it anybody "
                        "who reads it can make CAs that every cluster trusts",
                        files().ca_key, files().root_cert, files().ca_cert));
        verdict_.problems.back().is_unsafe = true;
        return;
      case KeyMatch::kOther:
        stop("key-of-another-certificate",
             fmt::format("{} does not belong to {}", files().ca_key, files().ca_cert));
        return;
      case KeyMatch::kUnreadable: {
        const std::string& why = question_.why_unreadable;
        stop(
            "unreadable-key",
            fmt::format("{} {}", files().ca_key,
                        why.empty() ? "does not begin with a clear-text private key in PEM" : why));
        if (!why.empty()) {
          verdict_.problems.back().hints.push_back(fmt::format(
              "openssl pkcs8 -topk8 -nocrypt -in {} -out NEW makes one that istiod reads",
              files().ca_key));
        }
        return;
      }
      case KeyMatch::kMatches:
      case KeyMatch::kNotLookedAt:
        return;
    }
  }

  /// Where Go refuses what istiod loads, istiod does not start; and at a start, not on a reload, it
  /// wants to know how long the first certificate of the chain file still lives.
  void judge_load() {
    if (!load_.accepted) {
      stop("chain-refused", fmt::format("{} under {}: istiod ({}) refuses it: {}", files().ca_cert,
                                        files().root_cert, load_.judge, load_.reason));
    }
    const auto& chain = parsed().cert_chain;
    if (chain.empty() || chain.front() == parsed().ca_cert) return;
    if (const auto& first = chain.front().facts(); first.not_after < question_.at) {
      stop("chain-holds-expired",
           fmt::format("{} begins with '{}', which ended on {}", files().cert_chain, first.subject,
                       base::format_date(first.not_after)));
    }
  }

  /// Envoy looks up every CA in the lists that it is given: that is a verifier's word as well.
  void judge_lists(const JudgedBundle& bundle) {
    auto problems = problems_of_lists(bundle);
    const auto is_read = [](const BundleProblem& one) { return one.code != "crl-not-read"; };
    const bool is_asked =
        !base::trim(question_.bundle.ca_crl).empty() && std::ranges::all_of(problems, is_read);
    const auto broken = std::ranges::find_if(problems, [](const BundleProblem& one) {
      return one.breaks_workloads || one.stops_istiod;
    });
    if (is_asked) {
      verdict_.workload_verdicts.push_back(
          {.judge = std::string(kListsJudge),
           .accepted = broken == problems.end(),
           .reason = broken == problems.end() ? std::string() : broken->message});
    }
    add_all(std::move(problems));
  }

  /// A refusal that nothing has explained is told in the words of whoever refuses.
  void explain_refusals() {
    const bool is_explained = std::ranges::any_of(verdict_.problems, [](const BundleProblem& one) {
      return one.breaks_workloads || one.code == "chain-refused";
    });
    if (is_explained) return;
    for (const pki::Verdict& one : verdict_.workload_verdicts) {
      if (one.accepted || one.judge == kListsJudge) continue;
      add(problem_in_use("workloads-refused",
                         fmt::format("a workload of '{}' is refused by {}: {}",
                                     parsed().ca_cert.facts().subject, one.judge, one.reason),
                         verdict_.workload_verdicts));
    }
  }

  /// Our own judge of paths has a say where nothing else has said anything: its words would often
  /// be those of a rule again.
  void advise() {
    const bool is_told = std::ranges::any_of(verdict_.problems, [](const BundleProblem& one) {
      return one.severity != Severity::kNote;
    });
    if (is_told || verdict_.own_verdict->accepted) return;
    report("own-path-verdict", fmt::format("{} under {}: meshtrust refuses it: {}", files().ca_cert,
                                           files().root_cert, verdict_.own_verdict->reason));
  }

  void judge_reload() {
    if (!question_.running) return;
    if (verdict_.outcome != LoadOutcome::kLoads) {
      verdict_.reload = LoadOutcome::kIgnoredUntilRestart;
      return;
    }
    const std::string objection =
        objection_to_reload({.loaded = question_.running->bundle.root_cert,
                             .wanted = question_.bundle.root_cert,
                             .rule = behaviour_of(question_.version).root_rule,
                             .multi_root = question_.running->multi_root});
    verdict_.reload = objection.empty() ? LoadOutcome::kLoads : LoadOutcome::kIgnoredUntilRestart;
    if (!objection.empty()) report("reload-ignored", objection);
  }

  const BundleQuestion& question_;
  pki::Verdict load_;
  BundleVerdict verdict_;
};

}  // namespace

std::string_view name_of(LoadOutcome outcome) {
  switch (outcome) {
    case LoadOutcome::kLoads:
      return "loads";
    case LoadOutcome::kRefusesToStart:
      return "refuses to start";
    case LoadOutcome::kSelfSigned:
      return "silently falls back to self-signed";
    case LoadOutcome::kIgnoredUntilRestart:
      break;
  }
  return "ignores until restart";
}

std::string_view sentence_of(LoadOutcome outcome) {
  switch (outcome) {
    case LoadOutcome::kLoads:
      return "loads it";
    case LoadOutcome::kRefusesToStart:
      return "refuses to start with it";
    case LoadOutcome::kSelfSigned:
      return "silently falls back to a self-signed CA";
    case LoadOutcome::kIgnoredUntilRestart:
      break;
  }
  return "ignores it until a restart";
}

std::string_view name_of(Answer answer) {
  switch (answer) {
    case Answer::kYes:
      return "yes";
    case Answer::kNo:
      return "no";
    case Answer::kUnknown:
      break;
  }
  return "unknown";
}

Answer BundleVerdict::workloads() const {
  if (workload_verdicts.empty()) return Answer::kUnknown;
  return pki::all_accept(workload_verdicts) ? Answer::kYes : Answer::kNo;
}

Answer BundleVerdict::safety() const {
  if (std::ranges::any_of(problems, &BundleProblem::is_unsafe)) return Answer::kNo;
  return parsed ? Answer::kYes : Answer::kUnknown;
}

const BundleProblem* BundleVerdict::first_error() const {
  const auto found =
      std::ranges::find_if(problems, [](const BundleProblem& one) { return !one.is_advice(); });
  return found == problems.end() ? nullptr : &*found;
}

std::vector<pki::Verdict> judge_workloads(const ParsedBundle& presenting,
                                          const std::vector<Certificate>& trusted,
                                          base::Instant at) {
  auto verdicts = pki::judge_imagined_workload({.authority = presenting.ca_cert,
                                                .shown = presenting.cert_chain,
                                                .roots = trusted,
                                                .at = at});
  if (presenting.foreign_in_chain.empty()) return verdicts;
  // The models are given certificates alone.
  for (pki::Verdict& said : verdicts) {
    if (said.judge != "webpki" || !said.accepted) continue;
    said.accepted = false;
    said.reason =
        fmt::format("the chain holds {}, which is no certificate: ztunnel does not read it",
                    presenting.foreign_in_chain);
  }
  return verdicts;
}

BundleVerdict judge_bundle(const BundleQuestion& question) {
  return Judge(question).judge();
}

BundleVerdict judge_incomplete(const std::vector<std::string>& missing, const Version& version) {
  BundleVerdict verdict;
  const bool has_none = missing.size() == kCaFiles.size();
  const bool lacks_key = std::ranges::find(missing, kCaKeyFile) != missing.end() ||
                         std::ranges::find(missing, kTlsKeyFile) != missing.end();
  const bool falls_back = has_none || (!behaviour_of(version).refuses_incomplete && lacks_key);
  verdict.outcome = falls_back ? LoadOutcome::kSelfSigned : LoadOutcome::kRefusesToStart;
  verdict.problems.push_back(bundle_problem(
      has_none ? "no-bundle" : "incomplete-bundle",
      has_none ? "there is none of the files that istiod looks for"
               : fmt::format("{} missing",
                             base::join(missing, ", ") + (missing.size() == 1 ? " is" : " are")),
      true));
  return verdict;
}

base::Status refuse_unless_good(const Bundle& bundle, base::Instant at) {
  const BundleVerdict verdict = judge_bundle({.bundle = bundle.certificates,
                                              .key = match_key(bundle.ca_key, bundle.certificates),
                                              .at = at});
  const auto refuse = [](const std::string& why) {
    return base::fail(base::Code::kRefused, "the new bundle is not sound: " + why);
  };
  // What works for others, and is advice to them, is still an error in what we make.
  for (const BundleProblem& one : verdict.problems) {
    if (!one.is_advice() || find_rule(one.code)->severity == Severity::kError) {
      return refuse(one.message);
    }
  }
  for (const pki::Verdict& one : verdict.workload_verdicts) {
    if (!one.accepted) return refuse(one.judge + " says '" + one.reason + "'");
  }
  MESHTRUST_CHECK(verdict.is_good());
  if (!verdict.own_verdict->accepted) return refuse(verdict.own_verdict->reason);
  const pki::Verdict botan = pki::judge_with_botan(
      {.chain = verdict.parsed->cert_chain, .roots = verdict.parsed->roots, .at = at});
  if (botan.accepted) return {};
  return refuse("botan says '" + botan.reason + "'");
}

}  // namespace meshtrust::istio
