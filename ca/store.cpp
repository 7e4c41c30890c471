#include "ca/store.h"

#include "base/text.h"
#include "ca/folder.h"
#include "ca/folder_lock.h"
#include "ca/store_state.h"
#include "ca/subject.h"
#include "ledger/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
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

constexpr std::chrono::seconds kSilence(1);

/// Says once what takes so long.
ledger::Pulse tell_when_slow(const Environment& environment, const Layout& layout) {
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

/// Whether the key of `root` may be gone: it was destroyed, or out of reach when another root was
/// made to follow.
bool may_be_without_key(const ledger::Root& root, const std::vector<ledger::Root>& roots) {
  return root.key_is_destroyed || std::ranges::any_of(roots, [&root](const ledger::Root& one) {
           return one.after == root.fingerprint() && one.voucher == ledger::Voucher::kOutside;
         });
}

/// A key that the ledger knows nothing of may be a root's whose record was lost, for instance with
/// an older copy of the database. It is neither used nor removed.
Status check_no_foreign_keys(Custody& custody, const Layout& layout, const ledger::Ledger& ledger) {
  MESHTRUST_TRY(const std::vector<std::string> names, custody.names());
  const auto& planned = ledger.planned_keys();
  const auto roots = ledger.hierarchy().roots();
  for (const std::string& name : names) {
    const bool is_known = std::ranges::find(planned, name) != planned.end() ||
                          std::ranges::any_of(roots, [&name](const ledger::Root& root) {
                            return ledger::key_name(root.certificate) == name;
                          });
    if (is_known) continue;
    return fail(Code::kCorrupt,
                fmt::format("root key '{}' is not in the ledger: the database may be an older copy",
                            layout.key(name).string()),
                "restore the database that belongs to this key, or move the key out of the store");
  }
  return {};
}

/// A run that was to destroy a key may have been killed behind its record.
Status finish_destruction(Custody& custody, const std::vector<Root>& roots) {
  for (const Root& root : roots) {
    if (root.key_is_destroyed) MESHTRUST_TRY_DO(custody.remove(root.id));
  }
  return {};
}

Result<StoreContent> read_content(const Environment& environment,
                                  const Layout& layout,
                                  const ledger::VouchedRoots& vouched) {
  base::Files& files = environment.files;
  const ledger::Pulse pulse = tell_when_slow(environment, layout);
  auto rows = environment.storage(layout.database())->read(pulse);
  if (!rows && rows.error().code == Code::kNotFound) {
    MESHTRUST_TRY(const bool is_unfinished, is_being_created(files, layout));
    if (is_unfinished) return no_store(layout);
    return fail(Code::kCorrupt,
                fmt::format("trust store '{}' holds no ledger: its database is empty",
                            layout.folder.string()),
                "restore the whole store folder from a backup");
  }
  if (!rows) return fail(std::move(rows).error());
  auto ledger = ledger::Ledger::assemble(*std::move(rows), vouched, pulse);
  if (!ledger) {
    return fail(base::with_context(std::move(ledger).error(),
                                   fmt::format("trust store '{}'", layout.folder.string())));
  }
  const auto custody = environment.custody(environment, layout.folder);
  MESHTRUST_TRY(std::vector<Root> roots, find_roots(*custody, *ledger));
  MESHTRUST_TRY_DO(check_no_foreign_keys(*custody, layout, *ledger));
  return StoreContent{.ledger = *std::move(ledger), .roots = std::move(roots)};
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
  const auto content = read_content(environment, layout, {});
  if (content) return true;
  if (content.error().code == Code::kNotFound) return false;
  return fail(content.error());
}

}  // namespace

Result<std::vector<Root>> find_roots(Custody& custody, const ledger::Ledger& ledger) {
  MESHTRUST_TRY(const std::vector<std::string> keys, custody.names());
  const std::vector<ledger::Root> found = ledger.hierarchy().roots();
  std::vector<Root> roots;
  roots.reserve(found.size());
  for (const ledger::Root& one : found) {
    Root root{one};
    root.id = ledger::key_name(root.certificate);
    root.declared_subject = without_generation(root.certificate.facts().subject);
    const bool is_kept = std::ranges::find(keys, root.id) != keys.end();
    if (is_kept ? !root.key_is_destroyed : !may_be_without_key(one, found)) {
      MESHTRUST_TRY(const KeyPlace place, custody.look(root.id));
      root.key_file = place.file;
      root.key_is_encrypted = place.is_encrypted;
    }
    roots.push_back(std::move(root));
  }
  return roots;
}

StoreLock::StoreLock(std::unique_ptr<base::FileLock> lock,
                     std::unique_ptr<FolderLock> folder,
                     std::unique_ptr<StorageWriter> writer)
    : lock_(std::move(lock)), folder_(std::move(folder)), writer_(std::move(writer)) {}
StoreLock::StoreLock(StoreLock&&) noexcept = default;
StoreLock& StoreLock::operator=(StoreLock&& other) noexcept {
  writer_ = std::move(other.writer_);
  lock_ = std::move(other.lock_);
  folder_ = std::move(other.folder_);
  return *this;
}
StoreLock::~StoreLock() {
  // The folder last, as it was taken first: whoever has that finds nobody else's words in the file.
  writer_.reset();
  lock_.reset();
  folder_.reset();
}

TrustStore::TrustStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrustStore::TrustStore(TrustStore&&) noexcept = default;
TrustStore& TrustStore::operator=(TrustStore&&) noexcept = default;
TrustStore::~TrustStore() = default;

Result<TrustStore> TrustStore::open(const Environment& environment,
                                    const std::filesystem::path& path,
                                    const ledger::VouchedRoots& vouched) {
  const Layout layout(path);
  MESHTRUST_TRY(const FolderState found, look_at_folder(environment.files, layout));
  if (found == FolderState::kForeign) return foreign(layout);
  if (found != FolderState::kStore) return no_store(layout);
  return load(environment, path, vouched);
}

Result<TrustStore> TrustStore::load(const Environment& environment,
                                    const std::filesystem::path& path,
                                    const ledger::VouchedRoots& vouched) {
  const Layout layout(path);
  MESHTRUST_TRY(StoreContent content, read_content(environment, layout, vouched));
  // State holds a mutex, so it is built where it stays.
  return TrustStore(
      std::unique_ptr<State>(new State{.environment = environment,
                                       .layout = layout,
                                       .custody = environment.custody(environment, layout.folder),
                                       .mutex = {},
                                       .vouched = vouched,
                                       .content = std::move(content)}));
}

Result<TrustStore> TrustStore::create(const Environment& environment,
                                      const std::filesystem::path& path,
                                      const ledger::Who& who) {
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
      ledger::Line first = ledger::line_of(ledger::StoreCreated{});
      first.sequence = 1;
      first.at = environment.clock.now();
      first.who = who;
      MESHTRUST_TRY_DO(environment.storage(layout.database())->initialise(first));
    }
    MESHTRUST_TRY_DO(end_creation(files, layout));
    if (!exists) return load(environment, path, {});
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

Custody& TrustStore::custody() const {
  return *state_->custody;
}

std::unique_lock<std::mutex> TrustStore::hold() const {
  return std::unique_lock(state_->mutex);
}

const ledger::Ledger& TrustStore::ledger_held() const {
  return state_->content.ledger;
}

std::optional<Root> TrustStore::root() const {
  const auto guard = hold();
  const auto& roots = state_->content.roots;
  const auto found = std::ranges::find(roots, ledger::RootState::kCurrent, &Root::state);
  if (found == roots.end()) return std::nullopt;
  return *found;
}

std::optional<Root> TrustStore::root(std::string_view fingerprint) const {
  const auto guard = hold();
  const auto& roots = state_->content.roots;
  const auto found = std::ranges::find(roots, fingerprint, &Root::fingerprint);
  if (found == roots.end()) return std::nullopt;
  return *found;
}

std::vector<Root> TrustStore::roots() const {
  const auto guard = hold();
  return state_->content.roots;
}

std::vector<ledger::Authority> TrustStore::issued() const {
  return ask([](const ledger::Ledger& ledger) { return ledger.hierarchy().authorities(); });
}

std::optional<ledger::Authority> TrustStore::find(std::string_view fingerprint) const {
  return ask([&](const ledger::Ledger& ledger) -> std::optional<ledger::Authority> {
    const ledger::Authority* found = ledger.hierarchy().find(fingerprint);
    if (found == nullptr) return std::nullopt;
    return *found;
  });
}

std::vector<ledger::Authority> TrustStore::undelivered() const {
  std::vector<ledger::Authority> entries = issued();
  std::erase_if(entries, [](const ledger::Authority& entry) {
    return entry.kind != ledger::AuthorityKind::kIntermediate ||
           entry.state == ledger::Delivery::kPushed || entry.state == ledger::Delivery::kAbandoned;
  });
  return entries;
}

std::vector<ledger::PendingRequest> TrustStore::requests() const {
  return ask([](const ledger::Ledger& ledger) { return ledger.requests(); });
}

std::vector<ledger::Record> TrustStore::log() const {
  return ask([](const ledger::Ledger& ledger) { return ledger.records(); });
}

std::vector<std::string> TrustStore::planned_keys() const {
  return ask([](const ledger::Ledger& ledger) { return ledger.planned_keys(); });
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
  MESHTRUST_TRY(StoreContent content, read_content(environment, layout, state_->vouched));
  MESHTRUST_TRY_DO(finish_destruction(*state_->custody, content.roots));
  MESHTRUST_TRY_DO(end_creation(files, layout));
  MESHTRUST_TRY(auto writer, environment.storage(layout.database())->open_to_write());
  const std::lock_guard guard(state_->mutex);
  state_->content = std::move(content);
  return StoreLock(std::move(file_lock), std::make_unique<FolderLock>(std::move(folder_lock)),
                   std::move(writer));
}

std::string describe_holder(const ledger::Who& who, long pid, base::Instant since) {
  return fmt::format("pid {} of {}@{} since {}: {}", pid, who.user, who.host,
                     base::format_rfc3339(since), who.command);
}

}  // namespace meshtrust::ca
