//! A contract as names and texts that can be compared: what each interface has, what each world asks for.
//! Types of other interfaces are named, so each change shows where it was made and nowhere else.

use std::collections::BTreeMap;

use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldKey,
};

use super::Contract;

/// By the interface's name with the part of its version that matters.
pub(super) type Interfaces = BTreeMap<String, Interface>;

/// The text of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Interface {
    pub(super) types: BTreeMap<String, String>,
    pub(super) functions: BTreeMap<String, String>,
}

/// Names of interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct World {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

// === impl Contract ===

impl Contract {
    /// All, those of other packages too. Those of the contract's own have no version in their name: it's what
    /// is to be judged.
    pub(super) fn interfaces(&self) -> Interfaces {
        let named = self.resolve.interfaces.iter().filter(|(_, interface)| interface.name.is_some());
        named.map(|(id, _)| (self.name(id), self.interface(id))).collect()
    }

    pub(super) fn worlds(&self) -> BTreeMap<String, World> {
        let worlds = self.resolve.packages[self.package].worlds.iter().map(|(name, id)| {
            let world = &self.resolve.worlds[*id];
            let name_of = |key: &WorldKey| match key {
                WorldKey::Name(name) => name.clone(),
                WorldKey::Interface(id) => self.name(*id),
            };
            let names = |keys: Vec<&WorldKey>| {
                let mut names: Vec<_> = keys.into_iter().map(name_of).collect();
                names.sort();
                names
            };
            let imports = names(world.imports.keys().collect());
            (name.clone(), World { imports, exports: names(world.exports.keys().collect()) })
        });
        worlds.collect()
    }

    fn name(&self, id: InterfaceId) -> String {
        let interface = &self.resolve.interfaces[id];
        let name = interface.name.as_deref().unwrap_or("inline");
        if interface.package == Some(self.package) {
            return name.to_owned();
        }
        self.resolve.canonicalized_id_of(id).unwrap_or_else(|| name.to_owned())
    }

    fn interface(&self, id: InterfaceId) -> Interface {
        let interface = &self.resolve.interfaces[id];
        let types = interface.types.iter().map(|(name, id)| (name.clone(), self.definition(&self.resolve.types[*id])));
        let functions = interface.functions.iter().map(|(name, it)| (name.clone(), self.function(it)));
        Interface { types: types.collect(), functions: functions.collect() }
    }

    fn function(&self, function: &Function) -> String {
        let kind = match function.kind {
            FunctionKind::Freestanding => "func",
            FunctionKind::AsyncFreestanding => "async func",
            FunctionKind::Method(_) => "method",
            FunctionKind::AsyncMethod(_) => "async method",
            FunctionKind::Static(_) => "static func",
            FunctionKind::AsyncStatic(_) => "async static func",
            FunctionKind::Constructor(_) => "constructor",
        };
        let parameters: Vec<_> =
            function.params.iter().map(|it| format!("{}: {}", it.name, self.reference(&it.ty))).collect();
        let result = function.result.as_ref().map_or("_".to_owned(), |it| self.reference(it));
        format!("{kind}({}) -> {result}", parameters.join(", "))
    }

    /// What is written behind a type's name.
    fn definition(&self, definition: &TypeDef) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match &definition.kind {
            TypeDefKind::Record(it) => {
                let fields = it.fields.iter().map(|field| format!("{}: {}", field.name, self.reference(&field.ty)));
                format!("record {{ {} }}", list(fields.collect()))
            }
            TypeDefKind::Variant(it) => {
                let cases = it.cases.iter().map(|case| format!("{}({})", case.name, self.optional(case.ty.as_ref())));
                format!("variant {{ {} }}", list(cases.collect()))
            }
            TypeDefKind::Enum(it) => {
                format!("enum {{ {} }}", list(it.cases.iter().map(|it| it.name.clone()).collect()))
            }
            TypeDefKind::Flags(it) => {
                format!("flags {{ {} }}", list(it.flags.iter().map(|it| it.name.clone()).collect()))
            }
            TypeDefKind::Tuple(it) => {
                format!("tuple<{}>", list(it.types.iter().map(|it| self.reference(it)).collect()))
            }
            TypeDefKind::Resource => "resource".to_owned(),
            TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", self.of(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", self.of(*id)),
            TypeDefKind::Option(it) => format!("option<{}>", self.reference(it)),
            TypeDefKind::Result(it) => {
                format!("result<{}, {}>", self.optional(it.ok.as_ref()), self.optional(it.err.as_ref()))
            }
            TypeDefKind::List(it) => format!("list<{}>", self.reference(it)),
            TypeDefKind::Map(key, value) => format!("map<{}, {}>", self.reference(key), self.reference(value)),
            TypeDefKind::FixedLengthList(it, length) => format!("list<{}, {length}>", self.reference(it)),
            TypeDefKind::Future(it) => format!("future<{}>", self.optional(it.as_ref())),
            TypeDefKind::Stream(it) => format!("stream<{}>", self.optional(it.as_ref())),
            TypeDefKind::Type(it) => self.reference(it),
            TypeDefKind::Unknown => panic!("a type that nothing defines"),
        }
    }

    fn optional(&self, kind: Option<&Type>) -> String {
        kind.map_or("_".to_owned(), |kind| self.reference(kind))
    }

    fn reference(&self, kind: &Type) -> String {
        match kind {
            Type::Id(id) => self.of(*id),
            // Their names in Rust are as good as those in WIT.
            plain => format!("{plain:?}").to_lowercase(),
        }
    }

    /// A type where it's used: by its name and its interface's, if it has one.
    fn of(&self, id: TypeId) -> String {
        let definition = &self.resolve.types[id];
        match (&definition.kind, definition.owner, &definition.name) {
            // Wherever it's used from, it's the one that was defined.
            (TypeDefKind::Type(Type::Id(target)), _, _) => self.of(*target),
            (_, TypeOwner::Interface(interface), Some(name)) => format!("{}.{name}", self.name(interface)),
            _ => self.definition(definition),
        }
    }
}
