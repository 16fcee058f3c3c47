// The stack machine: opcodes that move values. What the five known names mean: pickle_torch.cpp.
#include "tensor/pickle.h"
namespace ink {
namespace {

// The opcodes we know, by their names in pickletools.py.
enum Opcode : uint8_t {
  op_mark = '(',
  op_stop = '.',
  op_none = 'N',
  op_binint = 'J',
  op_binint1 = 'K',
  op_binint2 = 'M',
  op_binfloat = 'G',
  op_binstring = 'T',
  op_short_binstring = 'U',
  op_binunicode = 'X',
  op_append = 'a',
  op_appends = 'e',
  op_build = 'b',
  op_global = 'c',
  op_empty_dict = '}',
  op_empty_list = ']',
  op_empty_tuple = ')',
  op_tuple = 't',
  op_binget = 'h',
  op_long_binget = 'j',
  op_binput = 'q',
  op_long_binput = 'r',
  op_reduce = 'R',
  op_setitem = 's',
  op_setitems = 'u',
  op_binpersid = 'Q',
  op_proto = 0x80,
  op_tuple1 = 0x85,
  op_tuple2 = 0x86,
  op_tuple3 = 0x87,
  op_newtrue = 0x88,
  op_newfalse = 0x89,
  op_long1 = 0x8a,
};

// Names of some others, for the message.
const char* name_of_unknown(uint8_t opcode) {
  switch (opcode) {
    case '0': return " (POP)";
    case 'i': return " (INST, which makes an object)";
    case 'o': return " (OBJ, which makes an object)";
    case 0x81: return " (NEWOBJ, which makes an object)";
    case 0x92: return " (NEWOBJ_EX, which makes an object)";
    case 0x93: return " (STACK_GLOBAL, of protocol 4)";
    case 0x95: return " (FRAME, of protocol 4)";
    case 0x82:
    case 0x83:
    case 0x84: return " (EXT, a registered extension)";
    case 0x8b: return " (LONG4)";
    default: return "";
  }
}

}  // namespace

std::string Unpickler::where() const {
  return in_->source() + ": byte " + std::to_string(opcode_at_ - begin_) + " of the pickle";
}

Unpickler::Value Unpickler::run(ByteReader& in) {
  in_ = &in;
  begin_ = opcode_at_ = in.position();
  check(in.number<uint8_t>() == op_proto, "", in.source(), ": expected a pickle at byte ", begin_,
        "; this is no file that torch.save wrote");
  const auto protocol = in.number<uint8_t>();
  check(protocol == 2 || protocol == 3, "", in.source(), ": expected a pickle of protocol 2, got ",
        +protocol, "; save the state dict again with torch.save's default protocol");
  while (true) {
    opcode_at_ = in.position();
    if (!step(in.number<uint8_t>())) break;
  }
  check(stack_.size() == 1 && marks_.empty(), "", where(), ": expected one value at the end, got ",
        stack_.size());
  return pop();
}

bool Unpickler::step(uint8_t opcode) {
  switch (opcode) {
    case op_stop: return false;
    case op_none: push({Kind::none}); break;
    case op_newtrue:
    case op_newfalse: push({Kind::boolean, 0, opcode == op_newtrue}); break;
    case op_binint: push({Kind::integer, 0, in_->number<int32_t>()}); break;
    case op_binint1: push({Kind::integer, 0, in_->number<uint8_t>()}); break;
    case op_binint2: push({Kind::integer, 0, in_->number<uint16_t>()}); break;
    case op_long1: push_long(in_->number<uint8_t>()); break;
    case op_binfloat:  // nobody asks for its value
      in_->take(8);
      push({Kind::real});
      break;
    case op_binunicode:
    case op_binstring:  // from Python 2
      push_text(in_->number<uint32_t>());
      break;
    case op_short_binstring: push_text(in_->number<uint8_t>()); break;
    case op_global: push_global(); break;
    case op_reduce: call(); break;
    case op_build: set_state(); break;
    case op_binpersid: push_storage(); break;
    default:
      if (!step_on_containers(opcode) && !step_on_memo(opcode)) refuse_opcode(opcode);
  }
  return true;
}

bool Unpickler::step_on_containers(uint8_t opcode) {
  switch (opcode) {
    case op_mark:
      check(++pushed_ <= max_values_, "", where(), ": more than ", max_values_, " values");
      marks_.push_back(static_cast<uint32_t>(stack_.size()));
      return true;
    case op_empty_tuple: push_tuple(stack_.size()); return true;
    case op_tuple1:
    case op_tuple2:
    case op_tuple3: {
      const size_t count = opcode - op_tuple1 + size_t{1};
      const size_t floor = marks_.empty() ? 0 : marks_.back();
      check(stack_.size() >= floor + count, "", where(), ": the stack is empty");
      push_tuple(stack_.size() - count);
      return true;
    }
    case op_tuple: push_tuple(pop_mark()); return true;
    case op_empty_list: push_container(Kind::list); return true;
    case op_empty_dict: push_container(Kind::dictionary); return true;
    case op_append: {
      const Value element = pop();
      append(top(Kind::list, "a list"), element);
      return true;
    }
    case op_appends: append_all(Kind::list, pop_mark()); return true;
    case op_setitem: {
      const Value value = pop(), key = pop();
      const Value& dictionary = top(Kind::dictionary, "a dictionary");
      append(dictionary, key);
      append(dictionary, value);
      return true;
    }
    case op_setitems: append_all(Kind::dictionary, pop_mark()); return true;
    default: return false;
  }
}

bool Unpickler::step_on_memo(uint8_t opcode) {
  switch (opcode) {
    case op_binput: remember(in_->number<uint8_t>()); return true;
    case op_long_binput: remember(in_->number<uint32_t>()); return true;
    case op_binget: recall(in_->number<uint8_t>()); return true;
    case op_long_binget: recall(in_->number<uint32_t>()); return true;
    default: return false;
  }
}

void Unpickler::refuse_opcode(uint8_t opcode) const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  fail("", where(), ": the opcode 0x", kDigits[opcode >> 4], kDigits[opcode & 15],
       name_of_unknown(opcode),
       " has no place in a state dict and nothing was run; if you trust the file, load it with "
       "PyTorch and save its state_dict() again");
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────

void Unpickler::push(Value value) {
  check(++pushed_ <= max_values_, "", where(), ": more than ", max_values_,
        " values; no state dict of this size needs as many");
  stack_.push_back(value);
}

void Unpickler::push_text(uint64_t length) {
  const auto at = static_cast<int64_t>(in_->position());
  in_->take(length);
  push({Kind::text, static_cast<uint32_t>(length), at});
}

void Unpickler::push_long(uint64_t length) {
  const auto at = static_cast<int64_t>(in_->position());
  const std::span<const std::byte> bytes = in_->take(length);
  if (length > sizeof(int64_t))
    return push({Kind::long_integer, static_cast<uint32_t>(length), at});
  uint64_t number = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0} ? ~0ull : 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint64_t>(bytes[i]);
  push({Kind::integer, 0, static_cast<int64_t>(number)});
}

void Unpickler::push_container(Kind kind) {
  push({kind, 0, static_cast<int64_t>(containers_.size())});
  containers_.emplace_back();
}

void Unpickler::push_tuple(size_t from) {
  const Value tuple{Kind::tuple, static_cast<uint32_t>(stack_.size() - from),
                    static_cast<int64_t>(tuples_.size())};
  for (size_t i = from; i < stack_.size(); ++i) tuples_.push_back(stack_[i]);
  stack_.resize(from);
  push(tuple);
}

Unpickler::Value Unpickler::pop() {
  check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "", where(), ": the stack is empty");
  const Value value = stack_.back();
  stack_.pop_back();
  return value;
}

size_t Unpickler::pop_mark() {
  check(!marks_.empty(), "", where(), ": there is no mark on the stack");
  const size_t at = marks_.back();
  marks_.pop_back();
  return at;
}

Unpickler::Value& Unpickler::top(Kind kind, const char* what) {
  check(!stack_.empty() && stack_.back().kind == kind, "", where(), ": expected ", what,
        " on the stack");
  return stack_.back();
}

void Unpickler::append(const Value& container, const Value& element) {
  Container& into = containers_[static_cast<size_t>(container.number)];
  const auto at = static_cast<uint32_t>(elements_.size());
  elements_.push_back({element, kNone});
  (into.first == kNone ? into.first : elements_[into.last].next) = at;
  into.last = at;
}

void Unpickler::append_all(Kind kind, size_t from) {
  const bool pairs = kind == Kind::dictionary;
  check(from > 0 && stack_[from - 1].kind == kind, "", where(), ": expected a ",
        pairs ? "dictionary" : "list", " before the mark");
  check(!pairs || (stack_.size() - from) % 2 == 0, "", where(), ": a key without a value");
  const Value container = stack_[from - 1];
  for (size_t i = from; i < stack_.size(); ++i) append(container, stack_[i]);
  stack_.resize(from);
}

void Unpickler::remember(uint64_t slot) {
  check(slot < max_values_, "", where(), ": the memo has no place ", slot);
  check(!stack_.empty(), "", where(), ": the stack is empty");
  if (slot >= memo_.size()) memo_.resize(slot + 1);
  memo_[slot] = stack_.back();
}

void Unpickler::recall(uint64_t slot) {
  check(slot < memo_.size(), "", where(), ": nothing was put in place ", slot, " of the memo");
  push(memo_[slot]);
}

int64_t Unpickler::integer(const Value& value, const char* what) const {
  check(value.kind == Kind::integer, "", where(), ": ", what, ": expected an integer");
  return value.number;
}

bool Unpickler::boolean(const Value& value, const char* what) const {
  check(value.kind == Kind::boolean, "", where(), ": ", what, ": expected True or False");
  return value.number != 0;
}

std::string_view Unpickler::text(const Value& value, const char* what) const {
  check(value.kind == Kind::text, "", where(), ": ", what, ": expected a text");
  const auto* bytes = reinterpret_cast<const char*>(in_->bytes().data());
  return {bytes + value.number, value.length};
}

void Unpickler::for_each_element(const Value& list,
                                 const std::function<void(const Value&)>& visit) const {
  check(list.kind == Kind::list, "", where(), ": expected a list");
  for (uint32_t i = first_of(list); i != kNone; i = elements_[i].next) visit(elements_[i].value);
}

void Unpickler::for_each_member(
    const Value& dictionary,
    const std::function<void(const Value& key, const Value& value)>& visit) const {
  check(dictionary.kind == Kind::dictionary, "", where(), ": expected a dictionary");
  for (uint32_t i = first_of(dictionary); i != kNone;) {  // keys and values take turns
    const Element& key = elements_[i];
    const Element& value = elements_[key.next];
    visit(key.value, value.value);
    i = value.next;
  }
}

std::optional<Unpickler::Value> Unpickler::find(const Value& dictionary,
                                                std::string_view key) const {
  std::optional<Value> found;
  for_each_member(dictionary, [&](const Value& name, const Value& value) {
    if (name.kind != Kind::text || text(name, "key") != key) return;
    check(!found, "", where(), ": the key ", key, " appears twice");
    found = value;
  });
  return found;
}

}  // namespace ink
