//! Routes of which only the path is data: those of the generations 1.x, and those of none. Each is written once, as the
//! pattern of its path; requests are dispatched by the patterns and [`routes`] lists them, so that neither can have what
//! the other has not. API 2 has more to say about its routes, and a table of its own.

use crate::{probe, v1_1, v1_2, v1_3};

/// The most segments that any route has.
const MAX_SEGMENTS: usize = 7;

/// The paths of all routes but those of API 2, which its OpenAPI document lists. Parameters are in braces,
/// `/opendcre/1.2/version/{board}`; `{_}` is one that means nothing.
pub fn routes() -> impl Iterator<Item = String> {
    let generations =
        [(v1_1::BASE, v1_1::ROUTES), (v1_2::BASE, v1_2::ROUTES), (v1_3::BASE, v1_3::ROUTES)].into_iter();
    let old = generations.flat_map(|(base, routes)| routes.iter().map(move |path| format!("{base}{path}")));
    probe::ROUTES.into_iter().map(|(path, _)| path.to_owned()).chain(old)
}

/// Cuts a path that is decoded at its slashes. Nothing if a segment is empty – there is no route with a trailing slash –
/// or if there are more than any route has.
pub(crate) fn cut<'r, 'a>(path: &'a str, room: &'r mut Room<'a>) -> Option<&'r [&'a str]> {
    let mut count = 0;
    for segment in path.strip_prefix('/')?.split('/') {
        *room.get_mut(count).filter(|_| !segment.is_empty())? = segment;
        count += 1;
    }
    room.get(..count)
}

/// Room for the segments of a path.
pub(crate) type Room<'a> = [&'a str; MAX_SEGMENTS];

/// Makes a list of routes, `ROUTES`, and a function that says what a path asks for; nothing if there is no such route.
/// A segment is a literal, a name for its text, or `_`. The first route that fits is taken.
macro_rules! dispatch {
    (
        $(#[$doc:meta])*
        $visibility:vis fn $name:ident -> $request:ty {
            $([$($segment:tt),+] $(if $condition:expr)? => $found:expr,)+
        }
    ) => {
        /// The paths, with parameters in braces.
        pub(crate) const ROUTES: &[&str] = &[$(concat!($("/", $crate::route::segment!($segment)),+)),+];

        $(#[$doc])*
        $visibility fn $name(path: &str) -> Option<$request> {
            let mut room = $crate::route::Room::default();
            Some(match *$crate::route::cut(path, &mut room)? {
                $([$($segment),+] $(if $condition)? => $found,)+
                _ => return None,
            })
        }
    };
}

/// A segment as it is listed.
macro_rules! segment {
    (_) => {
        "{_}"
    };
    ($text:literal) => {
        $text
    };
    ($name:ident) => {
        concat!("{", stringify!($name), "}")
    };
}

pub(crate) use {dispatch, segment};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_at_its_slashes_if_it_can_be_a_route() {
        let mut room = Room::default();
        assert_eq!(cut("/scan", &mut room), Some(&["scan"][..]));
        assert_eq!(cut("/1/2/3/4/5/6/7", &mut room), Some(&["1", "2", "3", "4", "5", "6", "7"][..]));
        for path in ["", "/", "scan", "//scan", "/scan/", "/scan//1", "/1/2/3/4/5/6/7/8"] {
            assert_eq!(cut(path, &mut room), None, "{path}");
        }
    }

    #[test]
    fn every_generation_lists_its_routes() {
        let routes: Vec<String> = routes().collect();
        for route in [
            "/healthz",
            "/opendcre/version",
            "/opendcre/1.1/write/{kind}/{board}/{device}/info/{text}",
            "/opendcre/1.2/power/{_}/{board}/{device}/{command}",
            "/opendcre/1.3/scan/force",
        ] {
            assert!(routes.iter().any(|path| path == route), "{route} is not in {routes:#?}");
        }
    }
}
