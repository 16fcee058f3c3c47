// Models by name: what is fetched, checked, kept and taken up again, against a hub of our own.
#include "nn/hub.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "nn/hub_cache.h"
#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

#ifdef INK_TEST_HUB
#include "tests/hub/fake_hub.h"
#endif

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

// Without the variables of whoever runs the tests.
void clear_environment() {
  for (const char* name :
       {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
        "XDG_CACHE_HOME", "http_proxy", "all_proxy", "ALL_PROXY"})
    ::unsetenv(name);
}

TEST(ModelName, IsPlain) {
  for (const char* name : {"bert-base-chinese", "hfl/rbt3", "a/b_c.d-e", "A1/x.y"})
    EXPECT_TRUE(is_model_name(name)) << name;
  for (const char* name : {"", "/", "a/", "/a", "a/b/c", "../a", "a/..", "./a", "a b", "a--b/c",
                           "-a", "a.", "a\\b", "a/b?c", "~/a", "模型", "a%2Fb"})
    EXPECT_FALSE(is_model_name(name)) << name;
}

TEST(HubOptions, ComeFromTheEnvironment) {
  const TemporaryFolder folder;
  clear_environment();
  ::setenv("HF_HOME", folder.path().c_str(), 1);
  write_file(folder / "token", "hf_file\n");
  HubOptions o = with_environment({});
  EXPECT_EQ(o.endpoint, kDefaultHub);
  EXPECT_EQ(o.cache, folder / "hub");
  EXPECT_EQ(o.token, "hf_file");
  EXPECT_FALSE(o.offline);
  ::setenv("HF_TOKEN", " hf_variable ", 1);
  ::setenv("HF_HUB_CACHE", "/cache", 1);
  ::setenv("HF_ENDPOINT", "https://mirror/", 1);
  ::setenv("HF_HUB_OFFLINE", "yes", 1);
  o = with_environment({});
  EXPECT_EQ(o.endpoint, "https://mirror");
  EXPECT_EQ(o.cache, "/cache");
  EXPECT_EQ(o.token, "hf_variable");
  EXPECT_TRUE(o.offline);
  EXPECT_EQ(with_environment({.endpoint = "http://x", .token = "y", .cache = "z"}).token, "y");
  EXPECT_ERROR(with_environment({.token = "a\r\nb"}), "no token has");
  EXPECT_ERROR(with_environment({.endpoint = "ftp://x"}), "should begin with https://");
  for (const char* revision : {"", "../x", "a b", "/a", "a//b"})
    EXPECT_ERROR(with_environment({.revision = revision}), "branch, tag or commit");
  clear_environment();
  ::setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(with_environment({.token = "y"}).cache, "/xdg/huggingface/hub");
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  ::setenv("HOME", "/me", 1);
  ::setenv("HF_HOME", "~/models", 1);
  EXPECT_EQ(with_environment({.token = "y"}).cache, "/me/models/hub");
  ::setenv("HUGGINGFACE_HUB_CACHE", "~/older", 1);
  EXPECT_EQ(with_environment({.token = "y"}).cache, "/me/older");
  ::setenv("HF_HUB_CACHE", "/newer", 1);
  EXPECT_EQ(with_environment({.token = "y"}).cache, "/newer");
  ::setenv("HOME", home.c_str(), 1);
  clear_environment();
}

TEST(Hub, TakesFoldersAsTheyAre) {
  const TemporaryFolder folder;
  EXPECT_EQ(resolve_model(folder.path().string()), folder.path());
  write_file(folder / "file", "");
  EXPECT_ERROR(resolve_model(folder / "file"), "is a file; expected a model's folder");
  EXPECT_ERROR(resolve_model(folder / "none"), "and it is no name of a model");
}

TEST(Hub, FindsModelsInTheCacheOffline) {
  clear_environment();
  const TemporaryFolder folder;
  const std::string commit(40, 'a');
  const fs::path model = folder / "models--a--b", snapshot = model / "snapshots" / commit;
  const HubOptions offline{.offline = true, .cache = folder.path()};
  const auto expect_nothing = [&] {
    EXPECT_ERROR(resolve_model("a/b", offline), "nothing is downloaded offline");
  };
  expect_nothing();
  create_folders(snapshot);
  create_folders(model / "refs");
  write_file(model / "refs" / "main", commit);
  expect_nothing();
  write_file(snapshot / "config.json", "{}");
  expect_nothing();
  write_file(snapshot / "pytorch_model.bin.index.json", R"({"weight_map":{"x":"x1.bin"}})");
  expect_nothing();
  fs::create_symlink("../../blobs/none", snapshot / "x1.bin");
  expect_nothing();
  fs::remove(snapshot / "x1.bin");
  write_file(snapshot / "x1.bin", "");
  EXPECT_EQ(resolve_model("a/b", offline), snapshot);
  EXPECT_EQ(resolve_model("a/b", {.offline = true, .revision = commit, .cache = folder.path()}),
            snapshot);
  write_file(model / "refs" / "main", "../../evil");
  expect_nothing();
}

#ifdef INK_TEST_HUB
using testing::FakeHub;
using testing::Fault;
using testing::HubFile;

constexpr size_t kWeightBytes = 300'000;

class HubTest : public ::testing::Test {
 protected:
  HubTest() {
    clear_environment();
    std::string weights(kWeightBytes, '\0');
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<char>(i * i >> 8);
    hub.files = {{"a/b/config.json", {"{\"model_type\":\"bert\"}"}},
                 {"a/b/vocab.txt", {"[PAD]\n[UNK]\n"}},
                 {"a/b/model.safetensors", {weights, true}}};
  }
  HubOptions options() {
    return {.endpoint = hub.address(),
            .token = "hf_secret",
            .cache = folder.path() / "cache",
            .timeout_seconds = 2,
            .attempts = 2,
            .retry_seconds = 0.01};
  }
  fs::path model() const { return folder.path() / "cache" / "models--a--b"; }
  void expect_whole(const fs::path& snapshot) {
    EXPECT_EQ(snapshot, model() / "snapshots" / FakeHub::kCommit);
    for (const auto& [path, file] : hub.files) {
      if (!path.starts_with("a/b/")) continue;
      const fs::path at = snapshot / path.substr(4);
      ASSERT_TRUE(fs::is_symlink(at)) << at;
      EXPECT_EQ(fs::read_symlink(at).string().substr(0, 12), "../../blobs/");
      EXPECT_EQ(read_file(at, 1 << 24), file.content) << path;
    }
    for (const auto& entry : fs::directory_iterator(model() / "blobs"))
      EXPECT_TRUE(is_digest(entry.path().filename())) << entry.path();
    EXPECT_EQ(read_file(model() / "refs" / "main", 100), FakeHub::kCommit);
  }
  size_t incomplete_bytes() const {
    for (const auto& entry : fs::directory_iterator(model() / "blobs"))
      if (entry.path().extension() == ".incomplete") return entry.file_size();
    return 0;
  }
  // The error; afterwards nothing passes for a model, and without the fault everything is fetched.
  void expect_error_then_success(const std::string& complaint) {
    EXPECT_ERROR(resolve_model("a/b", options()), complaint);
    EXPECT_FALSE(fs::exists(model() / "refs" / "main"));
    HubOptions offline = options();
    offline.offline = true;
    EXPECT_ERROR(resolve_model("a/b", offline), "offline");
    hub.faults.clear();
    hub.large_faults.clear();
    expect_whole(resolve_model("a/b", options()));
  }

  TemporaryFolder folder;
  FakeHub hub;
};

TEST_F(HubTest, FetchesOnceAndUsesTheCacheThen) {
  uint64_t last = 0;
  HubOptions o = options();
  o.progress = [&](const HubProgress& p) {
    if (p.file != "model.safetensors") return;
    EXPECT_EQ(p.total, kWeightBytes);
    EXPECT_GT(p.done, last);
    last = p.done;
  };
  expect_whole(resolve_model("a/b", o));
  EXPECT_EQ(last, kWeightBytes);
  hub.forget();
  expect_whole(resolve_model("a/b", options()));
  EXPECT_TRUE(hub.seen().empty()) << "what the cache holds needs no hub";
}

TEST_F(HubTest, SendsTheTokenToTheHubAlone) {
  hub.wanted_token = "hf_secret";
  expect_whole(resolve_model("a/b", options()));
  size_t large = 0;
  for (const testing::Seen& s : hub.seen()) {
    const bool other = s.path.starts_with("/large/");
    EXPECT_EQ(s.token, other ? "" : "Bearer hf_secret") << s.path;
    large += other ? 1 : 0;
  }
  EXPECT_EQ(large, 1u);
}

TEST_F(HubTest, FollowsRedirectsWithinTheHub) {
  hub.faults["config.json"] = {.redirect = "/moved/a/b/config.json"};
  EXPECT_ERROR(resolve_model("a/b", options()), "which commit");  // the fake names none there
  hub.faults["config.json"] = {.redirect = hub.address() + "/a/b/resolve/main/config.json"};
  EXPECT_ERROR(resolve_model("a/b", options()), "redirects more than 10 times");
  hub.faults["config.json"] = {.times = 1, .redirect = "/a/b/resolve/main/config.json"};
  expect_whole(resolve_model("a/b", options()));
}

TEST_F(HubTest, NeverSendsTheTokenBackAfterADetour) {
  // hub → other server → hub
  hub.large_faults["model.safetensors"] = {.redirect =
                                               hub.address() + "/moved/a/b/model.safetensors"};
  expect_whole(resolve_model("a/b", options()));
  for (const testing::Seen& s : hub.seen()) {
    EXPECT_TRUE(!s.path.starts_with("/moved/") || s.token.empty()) << s.token;
  }
}

TEST_F(HubTest, FetchesShardsAndFilesOfTorch) {
  hub.files.erase("a/b/model.safetensors");
  hub.files["a/b/pytorch_model.bin.index.json"] = {
      R"({"weight_map":{"x":"x1.bin","y":"x2.bin","z":"x1.bin"}})"};
  hub.files["a/b/x1.bin"] = {"one", true};
  hub.files["a/b/x2.bin"] = {"two", true};
  expect_whole(resolve_model("a/b", options()));
  EXPECT_EQ(hub.count("GET", "/x1.bin"), 2u) << "once from the hub, once from where it is kept";
  hub.files = {{"c/config.json", {"{}"}}, {"c/pytorch_model.bin", {"zip", true}}};
  EXPECT_TRUE(fs::exists(resolve_model("c", options()) / "pytorch_model.bin"));
  hub.files = {{"d/config.json", {"{}"}},
               {"d/model.safetensors.index.json", {R"({"weight_map":{"x":"../../x"}})"}}};
  EXPECT_ERROR(resolve_model("d", options()), "expected the plain name");
  hub.files["d/model.safetensors.index.json"] = {R"({"weight_map":{"x":"x1"}})"};
  fs::remove_all(folder.path() / "cache" / "models--d");
  EXPECT_ERROR(resolve_model("d", options()), "lacks x1, which its model.safetensors.index.json");
}

TEST_F(HubTest, TakesABranchATagOrACommit) {
  HubOptions o = options();
  o.revision = "a/b";
  resolve_model("a/b", o);
  EXPECT_EQ(read_file(model() / "refs" / "a" / "b", 100), FakeHub::kCommit);
  o.revision = FakeHub::kCommit;
  hub.forget();
  resolve_model("a/b", o);
  EXPECT_TRUE(hub.seen().empty());
  o.revision = "none";
  EXPECT_ERROR(resolve_model("a/b", o), "no branch, tag or commit none");
}

TEST_F(HubTest, ResumesWhereTheConnectionWasCut) {
  hub.large_faults["model.safetensors"] = {.times = 3, .cut_after = 70'000};
  expect_whole(resolve_model("a/b", options()));
  std::vector<std::string> ranges;
  for (const testing::Seen& s : hub.seen())
    if (s.path.starts_with("/large/")) ranges.push_back(s.range);
  EXPECT_EQ(ranges,
            (std::vector<std::string>{"", "bytes=70000-", "bytes=140000-", "bytes=210000-"}));
}

TEST_F(HubTest, ResumesInTheNextCall) {
  hub.large_faults["model.safetensors"] = {.cut_after = 70'000};
  HubOptions once = options();
  once.attempts = 1;
  EXPECT_ERROR(resolve_model("a/b", once), "run again later, what has come is kept");
  EXPECT_EQ(incomplete_bytes(), 70'000u);
  hub.large_faults.clear();
  hub.forget();
  expect_whole(resolve_model("a/b", options()));
  EXPECT_EQ(hub.count("GET", "/large/a/b/model.safetensors"), 1u);
}

TEST_F(HubTest, StartsAgainWhereRangesAreIgnored) {
  hub.large_faults["model.safetensors"] = {.times = 1, .cut_after = 70'000};
  HubOptions once = options();
  once.attempts = 1;
  EXPECT_ERROR(resolve_model("a/b", once), "run again");
  hub.large_faults["model.safetensors"] = {.ignore_range = true};
  expect_whole(resolve_model("a/b", options()));
}

TEST_F(HubTest, TakesUpAnythingThatWasLeftBehind) {
  const std::string content = hub.files["a/b/model.safetensors"].content;
  Sha256 sum;
  sum.add(content);
  const fs::path left = model() / "blobs" / (sum.hex() + ".incomplete");
  create_folders(left.parent_path());
  for (const std::string& before : {content, content + "more", std::string()}) {
    fs::remove_all(model());
    create_folders(left.parent_path());
    write_file(left, before);
    expect_whole(resolve_model("a/b", options()));
  }
  fs::remove_all(model());
  create_folders(left.parent_path());
  write_file(left, "wrong from the start");
  expect_error_then_success("should have the hash");
}

TEST_F(HubTest, RefusesWhatIsNotWhatWasAnnounced) {
  hub.large_faults["model.safetensors"] = {.damage = true};
  expect_error_then_success("model.safetensors of a/b should have the hash");
  fs::remove_all(model());
  hub.faults["config.json"] = {.damage = true};
  expect_error_then_success("config.json of a/b should have the hash");
  fs::remove_all(model());
  hub.large_faults["model.safetensors"] = {.longer = 10};
  expect_error_then_success("should have 300000 bytes, more came");
  fs::remove_all(model());
  hub.large_faults["model.safetensors"] = {.longer = -10};
  expect_error_then_success("should have 300000 bytes, 299990 came");
  fs::remove_all(model());
  hub.faults["config.json"] = {.no_hash = true};
  expect_error_then_success("names no hash of config.json");
  fs::remove_all(model());
  hub.faults["config.json"] = {.no_commit = true};
  expect_error_then_success("does not say which commit");
}

TEST_F(HubTest, SaysWhyAHubRefuses) {
  const auto expect = [&](int status, const std::string& code, const std::string& complaint) {
    hub.faults["config.json"] = {.status = status, .error_code = code};
    expect_error_then_success(complaint);
    fs::remove_all(model());
  };
  expect(401, "", "does not exist or is private, or the token (HF_TOKEN) does not open it");
  expect(401, "GatedRepo", "ask for access on that page");
  expect(403, "", "ask for access on that page");
  expect(404, "RepoNotFound", "does not exist or is private");
  expect(404, "EntryNotFound", "holds no config.json");
  expect(500, "", "cannot fetch config.json of a/b from " + hub.address() + ": status 500");
  expect(429, "", "status 429; run again later");
  hub.large_faults["model.safetensors"] = {.status = 403};
  expect_error_then_success("ask for access");
  EXPECT_ERROR(resolve_model("no/such", options()), "/no/such does not exist");
  EXPECT_ERROR(resolve_model("no/such", options()), "there is no folder no/such");
}

TEST_F(HubTest, PassesOverPassingFaults) {
  hub.faults["config.json"] = {.times = 1, .status = 503};
  hub.large_faults["model.safetensors"] = {.times = 1, .status = 500};
  expect_whole(resolve_model("a/b", options()));
}

TEST_F(HubTest, WaitsAsLongAsItIsAskedTo) {
  std::vector<double> waits;
  HubOptions o = options();
  o.attempts = 5;
  o.wait = [&](double seconds) { waits.push_back(seconds); };
  hub.faults["config.json"] = {.times = 1, .status = 429, .retry_after = "7"};
  hub.large_faults["model.safetensors"] = {.times = 1, .status = 429, .retry_after = "100000"};
  expect_whole(resolve_model("a/b", o));
  EXPECT_EQ(waits, (std::vector<double>{7, 60}));
}

TEST_F(HubTest, AnotherCommitThanAskedForIsRefused) {
  HubOptions o = options();
  o.revision = FakeHub::kOther;
  EXPECT_ERROR(resolve_model("a/b", o), "expected the revision 0000");
  EXPECT_FALSE(fs::exists(model() / "snapshots"));
}

TEST_F(HubTest, AskedForATokenizerItFetchesNoWeights) {
  const HubFile weights{hub.files["a/b/model.safetensors"].content, true};
  hub.files.erase("a/b/model.safetensors");
  hub.files["a/b/pytorch_model.bin"] = weights;
  const fs::path snapshot = resolve_model("a/b", options());
  hub.files["a/b/model.safetensors"] = weights;  // converted since
  fs::remove(snapshot / "vocab.txt");
  fs::remove_all(model() / ".no_exist");
  hub.forget();
  resolve_model("a/b", options());
  EXPECT_TRUE(fs::exists(snapshot / "vocab.txt"));
  EXPECT_EQ(hub.count("HEAD", ".safetensors") + hub.count("GET", ".safetensors"), 0u);
}

TEST_F(HubTest, DoesNotWaitForEver) {
  HubOptions o = options();
  o.timeout_seconds = 1;
  o.attempts = 1;
  hub.large_faults["model.safetensors"] = {.times = 1, .pause = 3};
  EXPECT_ERROR(resolve_model("a/b", o), "run again later");
  o.endpoint = "http://127.0.0.1:9";
  EXPECT_ERROR(resolve_model("c/d", o), "cannot fetch config.json of c/d from http://127.0.0.1:9");
  expect_whole(resolve_model("a/b", options()));
}

TEST_F(HubTest, FetchesATokenizerThatAnotherProgramLeftOut) {
  resolve_model("a/b", options());
  fs::remove(model() / "snapshots" / FakeHub::kCommit / "vocab.txt");
  expect_whole(resolve_model("a/b", options()));
  fs::remove(model() / "snapshots" / FakeHub::kCommit / "vocab.txt");
  HubOptions o = options();
  o.endpoint = "http://127.0.0.1:9";
  o.attempts = 1;
  EXPECT_EQ(resolve_model("a/b", o), model() / "snapshots" / FakeHub::kCommit)
      << "the model is whole without it";
}

TEST_F(HubTest, LeavesTheCacheIntactOnAFullDisk) {
  const fs::path small = folder.path() / "cache";
  create_folders(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=128k") != 0)
    GTEST_SKIP() << "making a small file system needs root";
  EXPECT_ERROR(resolve_model("a/b", options()), "No space left on device");
  EXPECT_ERROR(resolve_model("a/b", options()), "run again, what has come is kept");
  EXPECT_GT(incomplete_bytes(), 0u);
  ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
  hub.forget();
  expect_whole(resolve_model("a/b", options()));
  EXPECT_NE(hub.seen().back().range, "") << "it goes on where the disk was full";
  ::umount(small.c_str());
}

// ── several processes ───────────────────────────────────────────────────────────────────────────

// What a child process does: the test program itself, told by variables.
TEST(HubChild, Resolves) {
  const char* endpoint = std::getenv("INK_HUB_CHILD");
  if (!endpoint) return;  // not a child of the tests below
  const HubOptions o{.endpoint = endpoint, .token = "x", .cache = std::getenv("INK_HUB_CACHE")};
  resolve_model("a/b", o);
}

pid_t start_child(const std::string& endpoint, const fs::path& cache) {
  const std::string a = "INK_HUB_CHILD=" + endpoint, b = "INK_HUB_CACHE=" + cache.string();
  const pid_t child = ::fork();
  if (child == 0) {
    const char* arguments[] = {"test_hub", "--gtest_filter=HubChild.*", "--gtest_brief=1", nullptr};
    const char* variables[] = {a.c_str(), b.c_str(), nullptr};
    ::execve("/proc/self/exe", const_cast<char**>(arguments), const_cast<char**>(variables));
    ::_exit(127);
  }
  return child;
}

TEST_F(HubTest, ProcessesShareOneDownload) {
  hub.large_faults["model.safetensors"] = {.pause_between = 0.005};
  hub.publish();
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) children.push_back(start_child(hub.address(), options().cache));
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  expect_whole(resolve_model("a/b", options()));
  EXPECT_EQ(hub.count("GET", "/large/a/b/model.safetensors"), 1u);
}

TEST_F(HubTest, AKilledProcessLeavesWhatItHad) {
  hub.large_faults["model.safetensors"] = {.times = 1, .pause_between = 0.02};
  hub.publish();
  const pid_t child = start_child(hub.address(), options().cache);
  const fs::path blobs = model() / "blobs";
  for (int i = 0; i < 500 && !(fs::exists(blobs) && incomplete_bytes() > 20'000); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(model() / "refs" / "main"));
  hub.forget();
  expect_whole(resolve_model("a/b", options()));
  EXPECT_TRUE(hub.seen().back().range.starts_with("bytes=")) << "it goes on where the other ended";
}
#else
TEST(Hub, NeedsAServer) {
  GTEST_SKIP() << "libcurl or cpp-httplib is not installed: downloads are not tested";
}
#endif

}  // namespace
}  // namespace ink
