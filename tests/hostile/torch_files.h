// Hostile and edge-case files of torch.save, with the verdict that the restricted reader owes each.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tensor/crc32.h"

namespace ink::hostile {

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// ── zip archives ────────────────────────────────────────────────────────────────────────────────

struct ZipEntry {
  std::string name, content;
  uint16_t method = 0;
  bool wide = false;  // sizes and position in a zip64 field
};

inline std::string zip_of(const std::vector<ZipEntry>& entries, bool wide_end = false) {
  std::string file, directory;
  for (const ZipEntry& e : entries) {
    const auto size = static_cast<uint32_t>(e.content.size());
    const uint32_t crc = crc32(std::as_bytes(std::span(e.content)));
    const auto begin = static_cast<uint32_t>(file.size());
    const std::string common = raw(uint16_t{0}) + raw(e.method) + raw(uint32_t{0}) + raw(crc);
    const std::string name_size = raw(static_cast<uint16_t>(e.name.size()));
    file += "PK\x03\x04" + raw(uint16_t{20}) + common + raw(size) + raw(size) + name_size +
            raw(uint16_t{0}) + e.name + e.content;
    const uint32_t shown = e.wide ? UINT32_MAX : size;
    const std::string extra = e.wide ? raw(uint16_t{1}) + raw(uint16_t{24}) + raw(uint64_t{size}) +
                                           raw(uint64_t{size}) + raw(uint64_t{begin})
                                     : "";
    directory += "PK\x01\x02" + raw(uint32_t{20}) + common + raw(shown) + raw(shown) + name_size +
                 raw(static_cast<uint16_t>(extra.size())) + raw(uint16_t{0}) + raw(uint64_t{0}) +
                 raw(e.wide ? UINT32_MAX : begin) + e.name + extra;
  }
  const uint64_t begin = file.size(), size = directory.size(), count = entries.size();
  file += directory;
  if (wide_end) {
    const uint64_t at = file.size();
    file += "PK\x06\x06" + raw(uint64_t{44}) + raw(uint32_t{20}) + raw(uint64_t{0}) + raw(count) +
            raw(count) + raw(size) + raw(begin);
    file += "PK\x06\x07" + raw(uint32_t{0}) + raw(at) + raw(uint32_t{1});
  }
  const auto narrow = [&](uint64_t n) { return raw(wide_end ? UINT32_MAX : uint32_t(n)); };
  const auto count16 = raw(wide_end ? uint16_t{UINT16_MAX} : static_cast<uint16_t>(count));
  return file + "PK\x05\x06" + raw(uint32_t{0}) + count16 + count16 + narrow(size) + narrow(begin) +
         raw(uint16_t{0});
}

// ── pickles ─────────────────────────────────────────────────────────────────────────────────────

inline std::string text(const std::string& s) {
  return 'X' + raw(static_cast<uint32_t>(s.size())) + s;
}
inline std::string integer(int64_t n) { return std::string("\x8a\x08") + raw(n); }
inline std::string tuple(const std::string& items) { return '(' + items + 't'; }
inline std::string integers(const std::vector<int64_t>& list) {
  std::string items;
  for (const int64_t n : list) items += integer(n);
  return tuple(items);
}
inline const std::string kOrdered = "ccollections\nOrderedDict\n)R";

inline std::string storage(const std::string& type, const std::string& key, int64_t size) {
  return tuple(text("storage") + "ctorch\n" + type + "\n" + text(key) + text("cpu") +
               integer(size)) +
         'Q';
}
inline std::string tensor(const std::string& from, int64_t offset,
                          const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n" +
         tuple(from + integer(offset) + integers(sizes) + integers(strides) + "\x89" + kOrdered) +
         'R';
}
inline std::string pickle(const std::string& program) { return "\x80\x02" + program + '.'; }
// A dictionary with the tensors a, b, …
inline std::string state_dict(const std::vector<std::string>& values) {
  std::string program = kOrdered + '(';
  for (size_t i = 0; i < values.size(); ++i)
    program += text(std::string(1, static_cast<char>('a' + i))) + values[i];
  return program + 'u';
}
inline std::string torch_zip(const std::string& program, const std::string& numbers = "",
                             const std::string& order = "little") {
  return zip_of({{"x/data.pkl", pickle(program)}, {"x/byteorder", order}, {"x/data/0", numbers}});
}
inline std::string torch_legacy(const std::string& program, const std::string& keys,
                                const std::string& numbers) {
  return pickle(std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12)) +
         pickle("M\xe9\x03") + pickle("}" + text("little_endian") + "\x88s") + pickle(program) +
         pickle("](" + keys + "e") + numbers;
}

struct TorchFileCase {
  std::string name, bytes, complaint;  // complaint: empty where the file is accepted
};

inline std::vector<TorchFileCase> torch_file_formats() {
  const std::string two(8, '\1');
  const std::string one = state_dict({tensor(storage("FloatStorage", "0", 2), 0, {2}, {1})});
  const std::string good = torch_zip(one, two);
  const std::vector<ZipEntry> parts{
      {"x/data.pkl", pickle(one)}, {"x/byteorder", "little"}, {"x/data/0", two}};
  const auto with = [&](size_t i, const ZipEntry& entry) {
    std::vector<ZipEntry> changed = parts;
    changed[i] = entry;
    return zip_of(changed);
  };
  // A number of 2 or 4 bytes at a place behind the last `signature`.
  const auto patched = [&](const std::string& signature, size_t at, const std::string& number) {
    std::string file = good;
    return file.replace(file.rfind(signature) + at, number.size(), number);
  };
  std::string wrong_sum = good;
  wrong_sum[wrong_sum.find(two)] ^= 1;
  const std::string legacy_numbers = raw(uint64_t{2}) + two;
  return {
      {"one tensor", good, ""},
      {"zip64 end", zip_of(parts, true), ""},
      {"zip64 entry", with(2, {"x/data/0", two, 0, true}), ""},
      {"no byte order", zip_of({parts[0], parts[2]}), ""},
      {"empty file", "", "a zip archive or a pickle"},
      {"one byte", "P", "a zip archive or a pickle"},
      {"text", "version https://git-lfs.github.com/spec/v1\n", "a zip archive or a pickle"},
      {"zip cut", good.substr(0, good.size() - 1), "the end of a zip archive"},
      {"zip with a comment", good.substr(0, good.size() - 2) + raw(uint16_t{1}) + "x",
       "the end of a zip archive"},
      {"bytes after the zip", good + "x", "the end of a zip archive"},
      {"no pickle", zip_of({parts[1], parts[2]}), "with an entry data.pkl"},
      {"pickle too deep", zip_of({{"a/b/data.pkl", pickle(one)}}), "with an entry data.pkl"},
      {"two pickles", zip_of({parts[0], {"y/data.pkl", pickle(one)}}), "two state dicts"},
      {"entry twice", zip_of({parts[0], parts[2], parts[2]}), "x/data/0 appears twice"},
      {"compressed", with(2, {"x/data/0", two, 8}), "x/data/0 is compressed"},
      {"overlapping entries", patched("PK\x01\x02", 42, raw(uint32_t{0})),
       "lies within another entry"},
      {"entry that reaches the directory", patched("PK\x01\x02", 24, raw(uint32_t{9})),
       "x/data/0 is compressed"},
      {"longer entry", patched("PK\x01\x02", 20, raw(uint32_t{9}) + raw(uint32_t{9})),
       "they do not fit before the directory"},
      {"encrypted", patched("PK\x01\x02", 8, raw(uint16_t{1})), "is encrypted"},
      {"header disagrees", patched("PK\x03\x04", 8, raw(uint16_t{8})),
       "disagrees with the directory"},
      {"header elsewhere", patched("PK\x01\x02", 42, raw(uint32_t{0x7FFFFFFF})),
       "lies within another entry or the directory"},
      {"two disks", patched("PK\x05\x06", 8, raw(uint16_t{2})), "in several parts"},
      {"many entries", patched("PK\x05\x06", 8, raw(uint16_t{999}) + raw(uint16_t{999})),
       "999 entries do not fit"},
      {"directory elsewhere", patched("PK\x05\x06", 16, raw(uint32_t{7})),
       "expected the directory of the archive"},
      {"big-endian", torch_zip(one, two, "big"), "the byte order 'little', got 'big'"},
      {"no numbers", zip_of({parts[0], parts[1]}), "x/data/0 is missing"},
      {"few numbers", torch_zip(one, "1234"), "expected 2 elements of 4 bytes, it has 4 bytes"},
      {"many numbers", torch_zip(one, two + two), "it has 16 bytes"},
      {"wrong sum", wrong_sum, "x/data/0: expected the checksum"},
      {"legacy", torch_legacy(one, text("0"), legacy_numbers), ""},
      {"legacy, no keys", torch_legacy(one, "", ""), "the numbers of the storage 0 are missing"},
      {"legacy, key twice", torch_legacy(one, text("0") + text("0"), legacy_numbers),
       "the storage 0 appears twice"},
      {"legacy, foreign key", torch_legacy(one, text("1"), legacy_numbers), "belongs to no tensor"},
      {"legacy, key no text", torch_legacy(one, "K\1", legacy_numbers), "expected a text"},
      {"legacy, other count", torch_legacy(one, text("0"), raw(uint64_t{3}) + two + two),
       "has 3 elements, its tensors expect 2"},
      {"legacy, cut", torch_legacy(one, text("0"), legacy_numbers.substr(0, 12)), "truncated"},
      {"legacy, more", torch_legacy(one, text("0"), legacy_numbers + "x"), "1 bytes follow"},
      {"legacy, no magic", pickle("K\1") + pickle("M\xe9\x03"), "PyTorch's magic number"},
      {"a pickle alone", pickle(one), "PyTorch's magic number"},
  };
}

inline std::vector<TorchFileCase> torch_file_views() {
  const std::string six(24, '\1');
  const std::string floats = storage("FloatStorage", "0", 6);
  const auto one = [&](const std::string& t) { return torch_zip(state_dict({t}), six); };
  const int64_t huge = int64_t{1} << 62;
  return {
      {"transposed", one(tensor(floats, 0, {3, 2}, {1, 3})), ""},
      {"overlap",
       torch_zip(state_dict({tensor(floats, 0, {4}, {1}), tensor(floats, 2, {4}, {1})}), six), ""},
      {"expanded", one(tensor(floats, 0, {3, 6}, {0, 1})), ""},
      {"scalar at the end", one(tensor(floats, 5, {}, {})), ""},
      {"empty", one(tensor(floats, 6, {0, 3}, {3, 1})), ""},
      {"negative stride", one(tensor(floats, 5, {6}, {-1})), "no negative number, got -1"},
      {"negative size", one(tensor(floats, 0, {-6}, {1})), "no negative number, got -6"},
      {"negative offset", one(tensor(floats, -1, {6}, {1})), "too large to count"},
      {"one too far", one(tensor(floats, 1, {6}, {1})), "does not fit into the storage 0 of 6"},
      {"scalar too far", one(tensor(floats, 6, {}, {})), "does not fit"},
      {"stride too long", one(tensor(floats, 0, {2, 2}, {5, 1})), "does not fit"},
      {"overflow", one(tensor(floats, 0, {huge, 8}, {0, 0})), "too large to count"},
      {"overflow of strides", one(tensor(floats, 0, {5, 2}, {huge, huge})), "too large to count"},
      {"overflow beside 0", one(tensor(floats, 0, {0, huge, 8}, {0, 0, 0})), "too large to count"},
      {"expanded beyond the file", one(tensor(floats, 0, {1 << 20, 6}, {0, 1})), "the file has"},
      {"sizes without strides", one(tensor(floats, 0, {6}, {})), "1 sizes, but 0 strides"},
      {"six dimensions", one(tensor(floats, 0, {1, 1, 1, 1, 1, 6}, {1, 1, 1, 1, 1, 1})),
       "at most 5 dimensions, got 6"},
      {"huge storage", one(tensor(storage("FloatStorage", "0", huge), 0, {1}, {1})),
       "elements of 4 bytes, the file has"},
      {"negative storage", one(tensor(storage("FloatStorage", "0", -1), 0, {1}, {1})),
       "should have -1 elements"},
      {"storage of two types",
       torch_zip(state_dict({tensor(floats, 0, {6}, {1}),
                             tensor(storage("IntStorage", "0", 6), 0, {6}, {1})}),
                 six),
       "is 6 elements of IntStorage here and 6 of FloatStorage"},
      {"path as a key", one(tensor(storage("FloatStorage", "../../etc/passwd", 6), 0, {6}, {1})),
       "x/data/../../etc/passwd is missing"},
  };
}

inline std::string repeat(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

inline std::vector<TorchFileCase> torch_file_programs() {
  const std::string six(24, '\1');
  const std::string a = tensor(storage("FloatStorage", "0", 6), 0, {6}, {1});
  const auto zip = [&](const std::string& program) { return torch_zip(program, six); };
  const auto attack = [&](const std::string& module, const std::string& name) {
    return zip(state_dict({"c" + module + "\n" + name + "\n" + tuple(text("true")) + "R"}));
  };
  return {
      {"os.system", attack("os", "system"), "it asks for os.system, which has no place"},
      {"posix.system", attack("posix", "system"), "nothing was run"},
      {"eval", attack("builtins", "eval"), "it asks for builtins.eval"},
      {"getattr", attack("__builtin__", "getattr"), "it asks for __builtin__.getattr"},
      {"torch.load", attack("torch", "load"), "it asks for torch.load"},
      {"torch.hub", attack("torch.hub", "load"), "it asks for torch.hub.load"},
      {"dotted name", attack("torch._utils", "_rebuild_tensor_v2.__globals__"), "it asks for"},
      {"other dictionary", attack("collections", "defaultdict"), "collections.defaultdict"},
      {"call of a storage type", zip(state_dict({"ctorch\nFloatStorage\n)R"})), "expected a call"},
      {"call of a text", zip(state_dict({text("x") + ")R"})), "expected a call"},
      {"dictionary with items", zip("ccollections\nOrderedDict\n" + tuple("]") + "R"),
       "without arguments"},
      {"INST", zip("(" + text("true") + "ios\nsystem\n"), "0x69 (INST, which makes an object)"},
      {"OBJ", zip("(o"), "0x6f (OBJ"},
      {"NEWOBJ", zip("ccollections\nOrderedDict\n)\x81"), "0x81 (NEWOBJ"},
      {"STACK_GLOBAL", zip(text("os") + text("system") + "\x93"), "0x93 (STACK_GLOBAL"},
      {"EXT1", zip("\x82\1"), "a registered extension"},
      {"unknown opcode", zip("\xff"), "the opcode 0xff has no place"},
      {"protocol 4", zip_of({{"x/data.pkl", std::string("\x80\x04.", 3)}}), "protocol 2, got 4"},
      {"no pickle inside", zip_of({{"x/data.pkl", "hello"}}), "expected a pickle at byte 0"},
      {"empty pickle", zip_of({{"x/data.pkl", ""}}), "expected 1 bytes"},
      {"no end", zip_of({{"x/data.pkl", "\x80\x02}"}}), "truncated"},
      {"nothing at the end", zip(""), "expected one value at the end, got 0"},
      {"two values", zip("}}"), "got 2"},
      {"open mark", zip("}("), "expected one value at the end"},
      {"bytes after the end", zip("}.}"), "bytes follow the state dict"},
      {"no dictionary", zip("]"), "expected a state dict"},
      {"a tensor alone", zip(a), "expected a state dict"},
      {"stack is empty", zip("a"), "the stack is empty"},
      {"tuple of nothing", zip("\x87"), "the stack is empty"},
      {"tuple across a mark", zip("N(\x85"), "the stack is empty"},
      {"no mark", zip("t"), "there is no mark"},
      {"list as dictionary", zip("](NNu"), "expected a dictionary before the mark"},
      {"key without a value", zip("}(Nu"), "a key without a value"},
      {"empty memo", zip("h\1"), "nothing was put in place 1"},
      {"memo far away", zip("}r" + raw(uint32_t{0xFFFFFFFF})), "the memo has no place 4294967295"},
      {"long text", zip("X" + raw(uint32_t{0xFFFFFFFF})), "expected 4294967295 bytes"},
      {"endless name", zip("c" + std::string(300, 'x')), "more than 256 bytes"},
      {"name twice", zip(kOrdered + "(" + text("a") + a + text("a") + a + "u"),
       "the tensor a appears twice"},
      {"name no text", zip(kOrdered + "(K\1" + a + "u"), "expected a text"},
      {"name not UTF-8", zip(kOrdered + "(" + text("\xff") + a + "u"), "not UTF-8"},
      {"name cut in a character", zip(kOrdered + "(" + text("\xe5\x90") + a + "u"), "not UTF-8"},
      {"NUL in a name", zip(kOrdered + "(" + text(std::string("a\0b", 3)) + a + "u"), "NUL"},
      {"dictionary within itself", zip("}q\1" + text("model") + "h\1s"), ""},
      {"nested tuples", zip(repeat(")", 1) + repeat("\x85", 60000) + "q\1}" + text("x") + "h\1s"),
       "expected one value"},
      {"nested lists", zip("}" + text("x") + repeat("]", 30000) + repeat("a", 29999) + "s"), ""},
      {"nested dictionaries", zip(repeat("}" + text("model"), 20000) + "}" + repeat("s", 20000)),
       ""},
      {"many values", zip("](" + repeat("N", 100000) + "e"), "no state dict of this size"},
      {"many marks", zip(repeat("(", 100000)), "values"},
      {"storage of 4 parts", zip(tuple(text("storage") + text("x")) + "Q"), "5 or 6 parts"},
      {"no type", zip(tuple(text("storage") + repeat(text("x"), 3) + "K\1") + "Q"),
       "a type of torch's"},
      {"part of a storage",
       zip(state_dict({tensor(tuple(text("storage") + "ctorch\nFloatStorage\n" + text("0") +
                                    text("cpu") + integer(6) + tuple("")) +
                                  "Q",
                              0, {6}, {1})})),
       "is a part of another"},
      {"parameter of a text",
       zip("ctorch._utils\n_rebuild_parameter\n" + tuple(text("x") + "\x88" + kOrdered) + "R"),
       "expected _rebuild_parameter(tensor"},
      {"tensor of 2 parts", zip("ctorch._utils\n_rebuild_tensor_v2\n" + tuple("NN") + "R"),
       "expected _rebuild_tensor_v2(storage"},
  };
}

inline std::vector<TorchFileCase> torch_files() {
  std::vector<TorchFileCase> all = torch_file_formats();
  for (const auto& more : {torch_file_views(), torch_file_programs()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace ink::hostile
