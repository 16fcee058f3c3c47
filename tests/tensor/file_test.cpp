// Files: what is written is there in full or not at all, and every failure says what happened.
#include "tensor/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

constexpr size_t kMega = size_t{1} << 20;

int64_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// Runs f in a child, so that limits and signals do not touch the other tests; whether
// it returned true.
bool in_child(const std::function<bool()>& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool ok = false;
    try {
      ok = f();
    } catch (...) {
    }
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(File, WritesAndReadsBack) {
  const TemporaryFolder folder;
  const std::string text("a\0b\n中", 7);
  write_file(folder / "x", text);
  EXPECT_EQ(read_file(folder / "x", kMega), text);
  const auto mapped = MappedFile::open(folder / "x");
  EXPECT_EQ(mapped->text(), text);
  write_file(folder / "x", "");
  EXPECT_EQ(read_file(folder / "x", 0), "");
  EXPECT_EQ(MappedFile::open(folder / "x")->size(), 0u);
  EXPECT_EQ(mapped->text(), text) << "a mapping keeps the file it opened";
  EXPECT_EQ(files_in(folder.path()), 1) << "no temporary stays";
}

// Kernels load whole vectors: the bytes after a file that ends with its page must be readable.
TEST(File, MappingHasSlackAfterTheEnd) {
  const TemporaryFolder folder;
  write_file(folder / "page", std::string(static_cast<size_t>(::sysconf(_SC_PAGESIZE)), 'x'));
  const auto mapped = MappedFile::open(folder / "page");
  for (size_t i = 0; i < MappedFile::kSlack; ++i)
    EXPECT_EQ(mapped->data()[mapped->size() + i], std::byte{0});
}

TEST(File, SaysWhatCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_ERROR(read_file(folder / "none", kMega), "none: No such file or directory");
  EXPECT_ERROR(MappedFile::open(folder / "none"), "none: No such file or directory");
  EXPECT_ERROR(read_file(folder.path(), kMega), "it is a folder, expected a file");
  EXPECT_ERROR(MappedFile::open(folder.path()), "it is a folder, expected a file");
  EXPECT_ERROR(MappedFile::open("/dev/null"), "it is not a regular file");
  write_file(folder / "long", "12345");
  EXPECT_ERROR(read_file(folder / "long", 4), "expected at most 4 bytes");
  EXPECT_ERROR(read_file("/dev/zero", kMega), "expected at most");
}

TEST(File, SaysWhatCannotBeWritten) {
  const TemporaryFolder folder;
  EXPECT_ERROR(write_file(folder / "none/x", "1"), "create the folder first");
  EXPECT_ERROR(write_file(folder.path(), "1"), "it is a folder");
  write_file(folder / "x", "1");
  EXPECT_ERROR(create_folders(folder / "x/y"), "cannot create the folder");
  EXPECT_ERROR(create_folders(folder / "x"), "cannot create the folder");
  create_folders(folder / "a/b/c");
  create_folders(folder / "a/b/c");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
}

TEST(File, AnAbandonedWriteLeavesEverythingAsItWas) {
  const TemporaryFolder folder;
  write_file(folder / "x", "old");
  EXPECT_ERROR(write_atomically(folder / "x",
                                [](FileWriter& out) {
                                  out.write("half");
                                  fail("interrupted");
                                }),
               "interrupted");
  EXPECT_EQ(read_file(folder / "x", kMega), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(File, AnOverwrittenFileKeepsItsMode) {
  const TemporaryFolder folder;
  const auto mode_of = [](const fs::path& path) { return fs::status(path).permissions(); };
  write_file(folder / "x", "secret");
  for (const fs::perms mode : {fs::perms{0600}, fs::perms{0640}, fs::perms{0755}}) {
    fs::permissions(folder / "x", mode);
    write_file(folder / "x", "another");
    EXPECT_EQ(mode_of(folder / "x"), mode);
  }
  EXPECT_EQ(read_file(folder / "x", kMega), "another");
}

TEST(File, FollowsALinkToItsTarget) {
  const TemporaryFolder folder;
  write_file(folder / "target", "old");
  fs::create_symlink(folder / "target", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "target", kMega), "new");
}

TEST(File, ReportsAFullDevice) {
  EXPECT_ERROR(write_file("/dev/full", "text"), "No space left on device after 0 bytes of 4 bytes");
}

// A size limit first gives a short write without any error; a naive check misses it.
TEST(File, ReportsASizeLimitAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  write_file(folder / "x", "old");
  EXPECT_TRUE(in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(folder / "x", std::string(5000, 'n'));
    } catch (const Error& e) {
      return e.message().find("after 1000 bytes of 5000 bytes; raise the file-size limit") !=
             std::string::npos;
    }
    return false;
  }));
  EXPECT_EQ(read_file(folder / "x", kMega), "old");
  EXPECT_EQ(files_in(folder.path()), 1) << "the temporary is removed";
}

TEST(File, ReportsAFullDiskAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "mounting needs root";
  write_file(folder / "x", "old");
  EXPECT_ERROR(write_file(folder / "x", std::string(3 * kMega, 'n')), "of 3145728 bytes (10");
  EXPECT_ERROR(write_file(folder / "x", std::string(3 * kMega, 'n')),
               "are free there); free some space");
  EXPECT_EQ(read_file(folder / "x", kMega), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
  ::umount(folder.path().c_str());
}

// Killed at any moment, a writer leaves the old file or the new one, and a temporary that the
// next process removes.
TEST(File, SurvivesBeingKilled) {
  const TemporaryFolder folder;
  const std::string old_text(kMega, 'o'), new_text(kMega, 'n');
  for (int round = 0; round < 20; ++round) {
    write_file(folder / "x", old_text);
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) write_file(folder / "x", new_text);
    }
    ::usleep(static_cast<useconds_t>(100 * round * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string now = read_file(folder / "x", 2 * kMega);
    EXPECT_TRUE(now == old_text || now == new_text);
    remove_stale_temporaries(folder.path());
    EXPECT_EQ(files_in(folder.path()), 1);
  }
}

TEST(File, RemovesOnlyTemporariesOfProcessesThatAreGone) {
  const TemporaryFolder folder;
  FileWriter mine(folder / "mine");
  for (const char* name : {".model.4194999-12345-0.partial", ".x.1-1-7.partial"})
    write_file(folder / name, "");
  for (const char* name :
       {"note.partial", ".a.partial", ".b.1-2.partial", ".c.x-1-2.partial", ".d.1-1-1x.partial"})
    write_file(folder / name, "");
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 2);
  EXPECT_EQ(files_in(folder.path()), 6);
  EXPECT_EQ(remove_stale_temporaries(folder / "none"), 0);
  mine.write("done");
  mine.commit();
  EXPECT_EQ(read_file(folder / "mine", kMega), "done");
  EXPECT_ERROR(mine.commit(), "already committed");
}

// Nobody writes to the pipe: opened as a file it would be waited for.
TEST(File, APipeIsNoRegularFile) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(read_regular_file(folder / "pipe", 100), "pipe: it is not a regular file");
  EXPECT_ERROR(read_regular_file("/dev/zero", 100), "/dev/zero: it is not a regular file");
  EXPECT_ERROR(MappedFile::open(folder / "pipe"), "pipe: it is not a regular file");
  EXPECT_ERROR(read_regular_file(folder.path(), 100), "it is a folder");
  write_file(folder / "file", "text");
  EXPECT_EQ(read_regular_file(folder / "file", 4), "text");
  EXPECT_ERROR(read_regular_file(folder / "file", 3), "it is longer");
}

}  // namespace
}  // namespace ink
