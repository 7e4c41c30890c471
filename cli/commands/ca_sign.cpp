#include "base/encoding.h"
#include "base/text.h"
#include "ca/authority.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/passphrase.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Status;

class CaSign final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("CSR", csr_, "the request (PEM or DER)")->required()->option_text("CSR");
    app.add_option("--cluster", cluster_, "the cluster that it is for")
        ->required()
        ->option_text("CLUSTER");
    declare_store(app, store_);
    app.add_option("--out", out_, "file for the certificate and what leads to the root")
        ->required()
        ->option_text("FILE");
    app.add_option("--lifetime", lifetime_, "of the intermediate (default 730d)")
        ->option_text("TIME");
    passphrase_.declare_source(app, "the root key");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    return report(session, sign(session));
  }

 private:
  Status sign(Session& session) {
    if (!base::is_dns_label(cluster_)) {
      return base::fail(
          Code::kUsage,
          fmt::format("'{}' is not a cluster name, wanted a DNS label such as 'east'", cluster_));
    }
    MESHTRUST_TRY(const base::Seconds lifetime, parse_lifetime(lifetime_));
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const std::string content, files.read(csr_, 1U << 20U));
    auto request = read_request(content);
    if (!request) return base::fail(with_context(std::move(request).error(), csr_));
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    const std::string written = written_before(session, opened.store, *request);
    if (written.empty()) MESHTRUST_TRY_DO(check_new_file(session, out_));
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, opened.store));
    MESHTRUST_TRY(const ca::SignedRequest done,
                  ca::sign_request(
                      opened.store, lock, *signer,
                      {.request = *std::move(request), .cluster = cluster_, .lifetime = lifetime},
                      session.who()));
    const std::string pem = pki::to_pem(done.chain) + pki::to_pem(done.roots);
    if (written != pem) {
      MESHTRUST_TRY_DO(files.write(out_, pem, base::Access::kPublic, base::Overwrite::kNever));
    }
    MESHTRUST_TRY_DO(opened.store.record(
        lock, ledger::Pushed{.fingerprint = done.certificate.fingerprint(), .written_to = out_},
        session.who(), signer.get()));
    tell(session, done);
    return {};
  }

  /// What lies in --out, if it begins with what this store signed for this request and cluster: a
  /// run that was interrupted is continued. Empty otherwise.
  std::string written_before(const Session& session,
                             const ca::TrustStore& store,
                             const pki::CertificateRequest& request) const {
    const auto content = session.around.files.read(out_, 1U << 20U);
    const auto found = pki::certificates_from_pem(content ? *content : std::string());
    if (!found) return {};
    const auto entry = store.find(found->front().fingerprint());
    const bool is_it = entry && entry->cluster == cluster_ &&
                       entry->certificate.facts().key_id == request.facts().key_id;
    return is_it ? *content : std::string();
  }

  /// DER begins with a sequence, and PEM may begin with any text.
  static base::Result<pki::CertificateRequest> read_request(std::string_view content) {
    if (content.find("-----BEGIN ") != std::string_view::npos || !content.starts_with('0')) {
      return pki::CertificateRequest::from_pem(content);
    }
    return pki::CertificateRequest::from_der(base::as_bytes(content));
  }

  void tell(const Session& session, const ca::SignedRequest& done) const {
    const auto& facts = done.certificate.facts();
    session.answer({{"apiVersion", "meshtrust/v1"},
                    {"kind", "SignedRequest"},
                    {"cluster", cluster_},
                    {"file", out_},
                    {"subject", facts.subject},
                    {"fingerprint", facts.fingerprint},
                    {"notAfter", base::format_rfc3339(facts.not_after)},
                    {"ignored", done.ignored}},
                   fmt::format("cluster:  {}\nsubject:  {}\nsha256:   {}\nexpires:  {}\n"
                               "file:     {}\n",
                               cluster_, facts.subject, base::group_hex(facts.fingerprint),
                               expiry_text(facts.not_after, session.now()), out_));
    if (done.signed_before) {
      session.console().say(
          fmt::format("this request was signed on {}: that certificate was written again, and "
                      "nothing was signed now",
                      base::format_date(*done.signed_before)));
    }
    if (!done.ignored.empty()) {
      session.console().warn(fmt::format("the request also asked for {}: not granted",
                                         base::join(done.ignored, ", ")));
    }
    session.console().say(fmt::format("next: 'meshtrust ca import {}' where the key waits", out_));
  }

  std::string csr_;
  std::string cluster_;
  std::string store_{kDefaultStore};
  std::string out_;
  std::string lifetime_ = "730d";
  PassphraseOptions passphrase_;
};

}  // namespace

CommandEntry ca_sign_command() {
  return {
      .name = "ca sign",
      .group = kCaGroup,
      .summary = "sign a request: a CA for a key that stays elsewhere",
      .details =
          "Checks that the request is signed by its own key, that the key is one that every "
          "verifier of a mesh accepts and of no other CA, and then mints the intermediate that "
          "'ca issue' would: subject, extensions and lifetime are this side's, whatever the "
          "request asked for, which is reported. The file holds the certificate and the root. A "
          "request that was signed before gives the same certificate once more, as long as it is "
          "in force.",
      .examples = {{"Where the root is",
                    "meshtrust ca sign east.csr --cluster east --store shop.trust --out east.pem"},
                   {"For half a year",
                    "meshtrust ca sign east.csr --cluster east --out east.pem --lifetime 180d"},
                   {"What was asked for", "meshtrust inspect east.csr"}},
      .files = {kStoreFile, "FILE  never replaced"},
      .make = make_command<CaSign>};
}

}  // namespace meshtrust::cli
