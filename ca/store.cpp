#include "ca/store.h"

#include "base/text.h"
#include "ca/custody.h"
#include "ca/database.h"
#include "ca/folder.h"
#include "ca/folder_lock.h"
#include "ca/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <span>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Failure;
using base::Result;
using base::Status;

/// What a store may write into its own `.gitignore`: everything in it is ignored.
constexpr std::string_view kIgnoreAll = "*\n";

/// What the files of a store say, read together.
struct Content {
  Ledger ledger;
  std::vector<Root> roots;
};

constexpr std::chrono::seconds kSilence(1);

/// Names of events, each once, in the order of `actions`.
std::vector<std::string> names_of(std::span<const Action> actions) {
  std::vector<std::string> names;
  for (const Action& action : actions) {
    std::string name(name_of(action.event));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> unsigned_events(const Ledger& ledger) {
  return names_of(
      std::span(ledger.actions()).subspan(static_cast<std::size_t>(ledger.signed_lines())));
}

/// What others have added without the key is believed more from now on than until now, so whoever
/// holds the key hears of it. `ledger` is as it was before the line that is signed.
void tell_what_is_signed(const Environment& environment, const Ledger& ledger) {
  const auto lines = static_cast<std::int64_t>(ledger.actions().size());
  const bool has_root = !ledger.entries().empty();
  if (!environment.tell || !has_root || ledger.signed_lines() == lines) return;
  environment.tell(
      ledger.signed_lines() == 0
          ? fmt::format("the ledger, which no key had signed, is signed by the root's from now on")
          : fmt::format("the root's key now also signs what was recorded without it since line {}: "
                        "{}",
                        ledger.signed_lines(), base::join(unsigned_events(ledger), ", ")));
}

/// Says once what takes so long.
Pulse tell_when_slow(const Environment& environment, const Layout& layout) {
  if (!environment.tell) return {};
  return [&environment, folder = layout.folder.string(), is_told = false,
          begin = environment.clock.steady()]() mutable {
    if (is_told || environment.clock.steady() - begin < kSilence) return;
    environment.tell(
        fmt::format("reading the ledger of '{}': everything in it is checked", folder));
    is_told = true;
  };
}

Failure<base::Error> no_store(const Layout& layout) {
  return fail(Code::kNotFound,
              fmt::format("there is no trust store at '{}'", layout.folder.string()),
              fmt::format("'meshtrust ca create --store {}' makes one", layout.folder.string()));
}

/// The roots of the ledger with their key files, each of which must be there.
Result<std::vector<Root>> find_roots(base::Files& files,
                                     const Layout& layout,
                                     const Ledger& ledger) {
  std::vector<Root> roots;
  for (const LedgerEntry& entry : ledger.entries()) {
    if (entry.kind != AuthorityKind::kRoot) continue;
    Root root{.certificate = entry.certificate,
              .id = key_name(entry.certificate),
              .declared_subject = without_generation(entry.certificate.facts().subject),
              .minted_at = entry.minted_at,
              .key_file = layout.key(key_name(entry.certificate)),
              .above = entry.above};
    MESHTRUST_TRY(const KeyForm form, look_at_key(files, root.key_file));
    root.key_is_encrypted = form == KeyForm::kEncrypted;
    roots.push_back(std::move(root));
  }
  return roots;
}

/// A key that the ledger knows nothing of may be a root's whose record was lost, for instance with
/// an older copy of the database. It is neither used nor removed.
Status check_no_foreign_keys(base::Files& files,
                             const Layout& layout,
                             const Ledger& ledger,
                             const std::vector<Root>& roots) {
  MESHTRUST_TRY(const std::vector<std::string> names, key_files(files, layout));
  const auto& planned = ledger.planned_keys();
  for (const std::string& name : names) {
    const bool is_known = std::count(planned.begin(), planned.end(), name) != 0 ||
                          std::any_of(roots.begin(), roots.end(),
                                      [&name](const Root& root) { return root.id == name; });
    if (is_known) continue;
    return fail(Code::kCorrupt,
                fmt::format("root key '{}' is not in the ledger: the database may be an older copy",
                            layout.key(name).string()),
                "restore the database that belongs to this key, or move the key out of the store");
  }
  return {};
}

Result<Content> read_content(const Environment& environment, const Layout& layout) {
  base::Files& files = environment.files;
  const Pulse pulse = tell_when_slow(environment, layout);
  auto rows = Database::read(layout.database(), pulse);
  if (!rows && rows.error().code == Code::kNotFound) {
    MESHTRUST_TRY(const bool is_unfinished, is_being_created(files, layout));
    if (is_unfinished) return no_store(layout);
    return fail(Code::kCorrupt,
                fmt::format("trust store '{}' holds no ledger: its database is empty",
                            layout.folder.string()),
                "restore the whole store folder from a backup");
  }
  if (!rows) return fail(std::move(rows).error());
  auto ledger = Ledger::assemble(*std::move(rows), pulse);
  if (!ledger) {
    return fail(base::with_context(std::move(ledger).error(),
                                   fmt::format("trust store '{}'", layout.folder.string())));
  }
  MESHTRUST_TRY(std::vector<Root> roots, find_roots(files, layout, *ledger));
  MESHTRUST_TRY_DO(check_no_foreign_keys(files, layout, *ledger, roots));
  return Content{.ledger = *std::move(ledger), .roots = std::move(roots)};
}

Failure<base::Error> foreign(const Layout& layout) {
  return fail(Code::kRefused,
              fmt::format("folder '{}' is not empty and not a trust store", layout.folder.string()),
              "name a folder that does not exist yet");
}

/// The folder as far as `initialise` needs it; each step may have been done by a killed run.
Status prepare_folder(base::Files& files, const Layout& layout) {
  MESHTRUST_TRY(FolderState found, look_at_folder(files, layout));
  if (found == FolderState::kAbsent) {
    MESHTRUST_TRY_DO(check_place(files, layout));
    const Status made = files.make_folder(layout.folder, base::Access::kPrivate);
    if (!made && made.error().code != Code::kConflict) return made;
    MESHTRUST_TRY(found, look_at_folder(files, layout));
  }
  if (found == FolderState::kForeign) return foreign(layout);
  return {};
}

/// The lock that nobody can take away. Who has it is told by the lock file, as long as that is
/// there.
Result<FolderLock> lock_folder(base::Files& files, const Layout& layout) {
  auto lock = FolderLock::take(layout.folder);
  if (lock || lock.error().code != Code::kLocked) return lock;
  constexpr std::size_t kLongest = 4096;
  const auto words = files.read(layout.lock(), kLongest);
  const std::string holder = words ? base::printable(base::trim(*words)) : std::string();
  if (holder.empty()) return lock;
  return fail(Code::kLocked, fmt::format("'{}' is held by {}", layout.lock().string(), holder),
              lock.error().hints.front());
}

Status put_if_absent(base::Files& files,
                     const std::filesystem::path& path,
                     std::string_view content) {
  const Status written =
      files.write(path, content, base::Access::kPrivate, base::Overwrite::kNever);
  if (!written && written.error().code != Code::kConflict) return written;
  return {};
}

/// Whether a database was completed; one whose creation was interrupted is rolled back and empty.
Result<bool> has_ledger(const Environment& environment, const Layout& layout) {
  MESHTRUST_TRY(const FolderState found, look_at_folder(environment.files, layout));
  if (found != FolderState::kStore) return false;
  const auto content = read_content(environment, layout);
  if (content) return true;
  if (content.error().code == Code::kNotFound) return false;
  return fail(content.error());
}

}  // namespace

struct TrustStore::State {
  Environment environment;
  Layout layout;
  mutable std::mutex mutex;  // guards what follows; one writer's threads share a store
  Content content;
};

StoreLock::StoreLock(std::unique_ptr<base::FileLock> lock,
                     std::unique_ptr<FolderLock> folder,
                     std::unique_ptr<Database> database)
    : lock_(std::move(lock)), folder_(std::move(folder)), database_(std::move(database)) {}
StoreLock::StoreLock(StoreLock&&) noexcept = default;
StoreLock& StoreLock::operator=(StoreLock&& other) noexcept {
  database_ = std::move(other.database_);
  lock_ = std::move(other.lock_);
  folder_ = std::move(other.folder_);
  return *this;
}
StoreLock::~StoreLock() {
  // The folder last, as it was taken first: whoever has that finds nobody else's words in the file.
  database_.reset();
  lock_.reset();
  folder_.reset();
}

TrustStore::TrustStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrustStore::TrustStore(TrustStore&&) noexcept = default;
TrustStore& TrustStore::operator=(TrustStore&&) noexcept = default;
TrustStore::~TrustStore() = default;

Result<TrustStore> TrustStore::open(const Environment& environment,
                                    const std::filesystem::path& path) {
  const Layout layout(path);
  MESHTRUST_TRY(const FolderState found, look_at_folder(environment.files, layout));
  if (found == FolderState::kForeign) return foreign(layout);
  if (found != FolderState::kStore) return no_store(layout);
  return load(environment, path);
}

Result<TrustStore> TrustStore::load(const Environment& environment,
                                    const std::filesystem::path& path) {
  const Layout layout(path);
  MESHTRUST_TRY(Content content, read_content(environment, layout));
  // State holds a mutex, so it is built where it stays.
  return TrustStore(std::unique_ptr<State>(new State{
      .environment = environment, .layout = layout, .mutex = {}, .content = std::move(content)}));
}

Result<TrustStore> TrustStore::create(const Environment& environment,
                                      const std::filesystem::path& path,
                                      const Who& who) {
  base::Files& files = environment.files;
  const Layout layout(path);
  MESHTRUST_TRY(const std::string doubt, check_untracked(files, layout));
  if (!doubt.empty()) {
    return fail(Code::kRefused, doubt + ", and a trust store holds keys",
                "name a folder outside of the Git work tree with --store, or 'trust.store' in the "
                "mesh file");
  }
  MESHTRUST_TRY(bool exists, has_ledger(environment, layout));
  if (!exists) {
    MESHTRUST_TRY_DO(prepare_folder(files, layout));
    MESHTRUST_TRY_DO(check_writable(files, layout));
    MESHTRUST_TRY_DO(begin_creation(files, layout));
    MESHTRUST_TRY_DO(put_if_absent(files, layout.ignore(), kIgnoreAll));
    MESHTRUST_TRY(const FolderLock folder_lock, lock_folder(files, layout));
    MESHTRUST_TRY(const auto lock, files.lock(layout.lock(), fmt::format("{}@{}: {}", who.user,
                                                                         who.host, who.command)));
    MESHTRUST_TRY_DO(sweep(files, layout));
    // Another run may have been faster.
    MESHTRUST_TRY(exists, has_ledger(environment, layout));
    if (!exists) {
      MESHTRUST_TRY_DO(put_if_absent(files, layout.database(), {}));
      const Action first{
          .sequence = 1, .at = environment.clock.now(), .who = who, .event = Event::kStoreCreated};
      MESHTRUST_TRY_DO(Database::initialise(layout.database(), first));
    }
    MESHTRUST_TRY_DO(end_creation(files, layout));
    if (!exists) return load(environment, path);
  }
  return fail(Code::kConflict, fmt::format("'{}' is a trust store already", path.string()),
              fmt::format("'meshtrust ca show --store {}' shows what is in it", path.string()));
}

const std::filesystem::path& TrustStore::path() const {
  return state_->layout.folder;
}

const Environment& TrustStore::environment() const {
  return state_->environment;
}

std::optional<Root> TrustStore::root() const {
  const std::lock_guard guard(state_->mutex);
  const auto& roots = state_->content.roots;
  if (roots.empty()) return std::nullopt;
  return roots.back();
}

std::vector<Root> TrustStore::roots() const {
  const std::lock_guard guard(state_->mutex);
  return state_->content.roots;
}

std::vector<LedgerEntry> TrustStore::issued() const {
  const std::lock_guard guard(state_->mutex);
  return state_->content.ledger.entries();
}

std::optional<LedgerEntry> TrustStore::find(std::string_view fingerprint) const {
  const std::lock_guard guard(state_->mutex);
  const LedgerEntry* found = state_->content.ledger.find(fingerprint);
  if (found == nullptr) return std::nullopt;
  return *found;
}

std::vector<LedgerEntry> TrustStore::undelivered() const {
  std::vector<LedgerEntry> entries = issued();
  std::erase_if(entries, [](const LedgerEntry& entry) {
    return entry.kind == AuthorityKind::kRoot || entry.state == Delivery::kPushed ||
           entry.state == Delivery::kAbandoned;
  });
  return entries;
}

std::vector<PendingRequest> TrustStore::requests() const {
  const std::lock_guard guard(state_->mutex);
  return state_->content.ledger.requests();
}

std::vector<Action> TrustStore::log() const {
  const std::lock_guard guard(state_->mutex);
  return state_->content.ledger.actions();
}

Coverage TrustStore::coverage() const {
  const std::lock_guard guard(state_->mutex);
  const Ledger& ledger = state_->content.ledger;
  return Coverage{.lines = static_cast<std::int64_t>(ledger.actions().size()),
                  .signed_lines = ledger.signed_lines(),
                  .since = unsigned_events(ledger)};
}

std::vector<std::string> TrustStore::planned_keys() const {
  const std::lock_guard guard(state_->mutex);
  return state_->content.ledger.planned_keys();
}

Result<StoreLock> TrustStore::lock(std::string_view holder) {
  const Environment& environment = state_->environment;
  base::Files& files = environment.files;
  const Layout& layout = state_->layout;
  MESHTRUST_TRY_DO(check_writable(files, layout));
  MESHTRUST_TRY(const std::string doubt, check_untracked(files, layout));
  if (!doubt.empty() && environment.tell) environment.tell(doubt);
  MESHTRUST_TRY(FolderState found, look_at_folder(files, layout));
  MESHTRUST_TRY(FolderLock folder_lock, lock_folder(files, layout));
  MESHTRUST_TRY(auto file_lock, files.lock(layout.lock(), holder));
  MESHTRUST_TRY_DO(sweep(files, layout));
  MESHTRUST_TRY(found, look_at_folder(files, layout));
  if (found != FolderState::kStore) return no_store(layout);
  MESHTRUST_TRY(Content content, read_content(environment, layout));
  MESHTRUST_TRY_DO(end_creation(files, layout));
  MESHTRUST_TRY(Database database, Database::open_to_write(layout.database()));
  const std::lock_guard guard(state_->mutex);
  state_->content = std::move(content);
  return StoreLock(std::move(file_lock), std::make_unique<FolderLock>(std::move(folder_lock)),
                   std::make_unique<Database>(std::move(database)));
}

Status TrustStore::record(const StoreLock& lock,
                          std::string_view fingerprint,
                          Event event,
                          const Who& who,
                          std::string_view detail,
                          const pki::Signer* root_key) {
  MESHTRUST_CHECK(event == Event::kPushing || event == Event::kPushed ||
                  event == Event::kAbandoned);
  const auto entry = find(fingerprint);
  if (entry && name_of(entry->state) == name_of(event)) {
    return root_key == nullptr ? Status() : sign(lock, *root_key);
  }
  return append(lock,
                Action{.who = who,
                       .event = event,
                       .fingerprint = std::string(fingerprint),
                       .cluster = entry ? entry->cluster : std::string(),
                       .detail = std::string(detail)},
                nullptr, root_key);
}

Status TrustStore::append(const StoreLock& lock,
                          Action action,
                          const pki::Certificate* certificate,
                          const pki::Signer* root_key) {
  const std::lock_guard guard(state_->mutex);
  Ledger& ledger = state_->content.ledger;
  action.sequence = static_cast<std::int64_t>(ledger.actions().size()) + 1;
  action.at = state_->environment.clock.now();
  MESHTRUST_TRY_DO(ledger.may_append(action, certificate));
  const std::string digest = chain_digest(ledger.head(), action);
  std::optional<SignedHead> head;
  if (root_key != nullptr) {
    // The root signs its own minting.
    const auto& roots = state_->content.roots;
    MESHTRUST_CHECK(!roots.empty() || action.event == Event::kRootMinted);
    MESHTRUST_TRY(head, sign_head(roots.empty() ? *certificate : roots.back().certificate,
                                  *root_key, action.sequence, digest));
  } else if (needs_root_key(action.event)) {
    return fail(Code::kRefused, fmt::format("'{}' is recorded only with the root's key open, which "
                                            "signs the record",
                                            name_of(action.event)));
  }
  MESHTRUST_TRY_DO(lock.database_->append(action, digest, certificate, head ? &*head : nullptr));
  if (head) tell_what_is_signed(state_->environment, ledger);
  const bool is_about_roots =
      action.event == Event::kRootMinted || action.event == Event::kSubordinated;
  ledger.append(std::move(action), certificate);
  if (head) ledger.note_signed();
  if (!is_about_roots) return {};
  MESHTRUST_TRY(state_->content.roots,
                find_roots(state_->environment.files, state_->layout, ledger));
  return {};
}

Status TrustStore::sign(const StoreLock& lock, const pki::Signer& root_key) {
  const std::lock_guard guard(state_->mutex);
  Ledger& ledger = state_->content.ledger;
  const auto lines = static_cast<std::int64_t>(ledger.actions().size());
  if (ledger.signed_lines() == lines) return {};
  MESHTRUST_CHECK(!state_->content.roots.empty());
  MESHTRUST_TRY(const SignedHead head, sign_head(state_->content.roots.back().certificate, root_key,
                                                 lines, ledger.head()));
  MESHTRUST_TRY_DO(lock.database_->sign(head));
  tell_what_is_signed(state_->environment, ledger);
  ledger.note_signed();
  return {};
}

std::string describe_holder(const Who& who, long pid, base::Instant since) {
  return fmt::format("pid {} of {}@{} since {}: {}", pid, who.user, who.host,
                     base::format_rfc3339(since), who.command);
}

}  // namespace meshtrust::ca
