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
    app.add_option("CSR", csr_, "the request (PEM)")->required()->option_text("CSR");
    app.add_option("--cluster", cluster_, "the cluster that it is for")
        ->required()
        ->option_text("CLUSTER");
    declare_store(app, store_);
    app.add_option("--out", out_, "file for the certificate and what leads to the root")
        ->required()
        ->option_text("FILE");
    app.add_option("--lifetime", lifetime_, "of the intermediate (default 730d)")
        ->option_text("TIME");
    passphrase_.declare(app);
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
    MESHTRUST_TRY(const std::string pem, files.read(csr_, 1U << 20U));
    auto request = pki::CertificateRequest::from_pem(pem);
    if (!request) return base::fail(with_context(std::move(request).error(), csr_));
    MESHTRUST_TRY(const base::FileFacts there, files.facts(out_));
    if (there.kind != base::FileKind::kAbsent) {
      return base::fail(Code::kRefused, fmt::format("'{}' already exists", out_),
                        "name another file with --out");
    }
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, opened.store));
    MESHTRUST_TRY(const ca::SignedRequest done,
                  ca::sign_request(
                      opened.store, lock, *signer,
                      {.request = *std::move(request), .cluster = cluster_, .lifetime = lifetime},
                      session.who()));
    MESHTRUST_TRY_DO(files.write(out_, pki::to_pem(done.chain) + pki::to_pem(done.roots),
                                 base::Access::kPublic, base::Overwrite::kNever));
    MESHTRUST_TRY_DO(opened.store.record(lock, done.certificate.fingerprint(), ca::Event::kPushed,
                                         session.who(), std::string(ca::kWrittenTo) + out_));
    tell(session, done);
    return {};
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
          "request asked for, which is reported. The file holds the certificate and the root.",
      .examples = {{"Where the root is",
                    "meshtrust ca sign east.csr --cluster east --store shop.trust --out east.pem"},
                   {"For half a year",
                    "meshtrust ca sign east.csr --cluster east --out east.pem --lifetime 180d"},
                   {"What was asked for", "meshtrust inspect east.csr"}},
      .files = {kStoreFile, "FILE  never replaced"},
      .make = make_command<CaSign>};
}

}  // namespace meshtrust::cli
