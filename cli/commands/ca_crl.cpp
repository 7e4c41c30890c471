#include "base/bytes.h"
#include "base/text.h"
#include "ca/revocation.h"
#include "cli/commands/ca.h"
#include "cli/commands/commands.h"
#include "cli/proof.h"
#include "istio/names.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Json;
using base::Status;

class CaCrl final : public Command {
 public:
  void declare(CLI::App& app) override {
    declare_store(app, store_);
    app.add_option("--out", out_, "folder for ca-crl.pem (default: print it)")->option_text("DIR");
    app.add_option("--lifetime", lifetime_, "of the root's list (default 90d)")
        ->option_text("TIME");
    app.add_option("--with", with_,
                   "lists of CAs whose key is elsewhere (PEM or DER), which are kept, or of "
                   "another copy of this store, to go on above their numbers")
        ->option_text("FILE...");
    app.add_option("--above", above_,
                   "number of a list in use, as 'inspect' shows it; the new one is above it")
        ->option_text("NUMBER");
    passphrase_.declare_source(app, "the root key");
  }

  int run(Session& session) override {
    passphrase_.keep_from_children();
    return report(session, make(session));
  }

 private:
  Status make(Session& session) {
    ca::CrlRequest request;
    MESHTRUST_TRY(request.lifetime, parse_lifetime(lifetime_));
    for (const std::string& file : with_) {
      MESHTRUST_TRY(const std::string pem, session.around.files.read(file, 1U << 20U));
      auto lists = read_lists(pem);
      if (!lists) return base::fail(with_context(std::move(lists).error(), file));
      if (lists->empty()) {
        return base::fail(Code::kInvalidInput, fmt::format("{}: found no revocation list", file));
      }
      request.supplied.insert(request.supplied.end(), lists->begin(), lists->end());
    }
    if (!above_.empty()) request.at_least_above = above_;
    MESHTRUST_TRY_DO(check_out(session));
    MESHTRUST_TRY(StoreWithRoot opened, open_store_with_root(session, store_));
    MESHTRUST_TRY(const auto signer, open_root_key(session, opened, passphrase_));
    MESHTRUST_TRY(const ca::StoreLock lock, lock_store(session, opened.store));
    MESHTRUST_TRY(const ledger::CrlSet set,
                  ca::make_crls(opened.store, lock, *signer, request, session.who()));
    const std::string pem = pki::to_pem(set.crls);
    if (!out_.empty()) {
      MESHTRUST_TRY_DO(session.around.files.write(file(), pem, base::Access::kPublic,
                                                  base::Overwrite::kReplace));
    }
    tell(session, set, pem);
    return {};
  }

  /// CAs publish theirs in DER, which begins with a sequence.
  static base::Result<std::vector<pki::RevocationList>> read_lists(const std::string& content) {
    const bool is_pem = content.find("-----BEGIN ") != std::string::npos;
    if (is_pem || !content.starts_with('0')) return pki::revocation_lists_from_pem(content);
    MESHTRUST_TRY(pki::RevocationList list, pki::RevocationList::from_der(base::as_bytes(content)));
    return std::vector{std::move(list)};
  }

  fs::path file() const { return fs::path(out_) / istio::kCaCrlFile; }

  /// A list is replaced by its successor, and nothing else is.
  Status check_out(const Session& session) const {
    if (out_.empty()) return {};
    base::Files& files = session.around.files;
    MESHTRUST_TRY(const base::FileFacts folder, files.facts(out_));
    if (folder.kind != base::FileKind::kFolder) {
      return base::fail(Code::kInvalidInput, fmt::format("there is no folder '{}'", out_),
                        "create it, or name another with --out");
    }
    MESHTRUST_TRY(const base::FileFacts there, files.facts(file()));
    if (there.kind == base::FileKind::kAbsent) return {};
    MESHTRUST_TRY(const std::string content, files.read(file(), 1U << 20U));
    const auto lists = pki::revocation_lists_from_pem(content);
    if (lists && !lists->empty()) return {};
    return base::fail(
        Code::kRefused,
        fmt::format("'{}' holds something else than revocation lists", file().string()),
        "name another folder with --out");
  }

  void tell(const Session& session, const ledger::CrlSet& set, const std::string& pem) const {
    const auto& own = set.crls.front().facts();
    const auto& first = set.first_to_end().facts();
    Json json = {{"apiVersion", "meshtrust/v1"},
                 {"kind", "RevocationListSet"},
                 {"number", *own.number},
                 {"nextUpdate", base::format_rfc3339(*first.next_update)},
                 {"revoked", own.revoked.size()},
                 {"lists", set.crls.size()},
                 {"file", out_.empty() ? "" : file().string()}};
    const std::string text = fmt::format(
        "file:     {}\nlists:    {}, one of every CA that the mesh may use\nrevoked:  {}\n"
        "number:   {}\nrefresh:  before {}\n",
        file().string(), set.crls.size(), base::count_of(own.revoked.size(), "certificate"),
        *own.number, expiry_text(*first.next_update, session.now()));
    if (out_.empty() && session.output == Output::kText) {
      session.console().print(pem);
    } else {
      if (out_.empty()) json["pem"] = pem;
      session.answer(json, text);
    }
    session.console().say(
        "next: the same ca-crl.pem into cacerts of every cluster, and a job that does all this "
        "again well before the list ends: an ended list cuts off every connection");
  }

  std::string store_{kDefaultStore};
  std::string out_;
  std::string lifetime_ = "90d";
  std::vector<std::string> with_;
  std::string above_;
  PassphraseOptions passphrase_;
};

}  // namespace

CommandEntry ca_crl_command() {
  return {
      .name = "ca crl",
      .group = kCaGroup,
      .summary = "make ca-crl.pem for all clusters of a mesh",
      .details =
          "Makes a new list of the root, its number growing, and puts beside it one of every "
          "intermediate that some chain may hold: Envoy looks up each CA of a chain, the root "
          "too, and refuses the connection where a list is missing or has ended. Those of "
          "intermediates are empty, were made when the intermediate was minted, and end with "
          "it; a CA whose key is elsewhere, at a site or above the root, needs its list given with "
          "--with, which the store then keeps until there is a newer one. A set that would be "
          "an outage is refused.",
      .examples = {{"For all clusters", "meshtrust ca crl --store shop.trust --out lists"},
                   {"With the list of a CA made elsewhere",
                    "meshtrust ca crl --out lists --with site.crl.pem"},
                   {"From an older copy of the store, where list 1f is in use",
                    "meshtrust ca crl --out lists --above 1f"}},
      .files = {kStoreFile, "DIR  ca-crl.pem, replaced"},
      .make = make_command<CaCrl>};
}

}  // namespace meshtrust::cli
