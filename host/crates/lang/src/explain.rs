//! The page of each diagnostic code, compiled in. The texts are in `host/docs/errors`; a test compiles their examples.

use crate::suggest;

/// What a diagnostic code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Such as `flow::type_mismatch`.
    pub code: &'static str,
    /// The whole page as Markdown; its first line is `# code: summary`.
    pub text: &'static str,
}

impl Page {
    /// What the code means, in one line.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        let title = self.text.lines().next().unwrap_or_default();
        title
            .strip_prefix("# ")
            .and_then(|title| title.strip_prefix(self.code))
            .map_or(title, |rest| rest.trim_start_matches([':', ' ']))
    }
}

macro_rules! pages {
    ($($name:ident,)*) => {
        /// All pages, by code.
        pub const PAGES: &[Page] = &[$(Page {
            code: concat!("flow::", stringify!($name)),
            text: include_str!(concat!("../../../docs/errors/", stringify!($name), ".md")),
        },)*];
    };
}

pages! {
    ambiguous_function,
    any_count,
    argument_order,
    attached,
    awaited_type,
    cache_effects,
    case_only,
    case_payload,
    comparison_chain,
    compile_time_type,
    component,
    component_default,
    conversion,
    cycle,
    dir_type,
    division,
    duplicate_name,
    entry,
    escape,
    flow_differs,
    foreign_syntax,
    function_differs,
    generic_entry,
    grant,
    hook,
    huge_type,
    import_cycle,
    interface_type,
    internal,
    interpolation,
    kebab_case,
    lambda_here,
    library_argument,
    literal_range,
    loop_bound,
    message_type,
    misplaced_setting,
    misplaced_step,
    missing_argument,
    missing_field,
    missing_function,
    mock_answer,
    mock_arguments,
    mock_scope,
    mock_target,
    needs_type,
    not_a_component,
    not_a_flow,
    not_a_list,
    not_a_record,
    not_a_value,
    not_callable,
    not_exhaustive,
    not_indexable,
    not_interpolated,
    not_recursive,
    number,
    operands,
    out_of_scope,
    pattern,
    plan_budget,
    plan_source,
    policy_on_flow,
    race_arms,
    recursion,
    recursion_bound,
    recursive_type,
    refused_function,
    repeated_argument,
    repeated_setting,
    reserved,
    reserved_name,
    retry_not_idempotent,
    return_here,
    role_differs,
    secret_in_log,
    setting_value,
    shadowed,
    step_here,
    syntax,
    test_only,
    too_deep,
    too_large,
    too_many_arguments,
    too_many_files,
    too_many_instances,
    topic,
    trigger,
    type_mismatch,
    unclosed,
    undo_always_result,
    undo_nothing,
    undo_twice,
    ungranted_folder,
    unknown_argument,
    unknown_case,
    unknown_class,
    unknown_field,
    unknown_function,
    unknown_import,
    unknown_interface,
    unknown_name,
    unknown_role,
    unknown_setting,
    unknown_type,
    unneeded_grant,
    unreachable,
    unreadable,
    unused,
    widens_grant,
    widens_limit,
    zero,
}

/// The page of a code, with or without `flow::`; its words may be joined by `-`.
///
/// # Errors
/// Without such a code, the close one that was probably meant.
pub fn explain(code: &str) -> Result<Page, Option<&'static str>> {
    let name = |code: &'static str| code.strip_prefix("flow::").unwrap_or(code);
    let wanted = code.strip_prefix("flow::").unwrap_or(code).replace('-', "_");
    if let Some(page) = PAGES.iter().find(|page| name(page.code) == wanted) {
        return Ok(*page);
    }
    let close = suggest::Budget::default().closest(&wanted, PAGES.iter().map(|page| name(page.code)));
    Err(close.and_then(|close| PAGES.iter().map(|page| page.code).find(|code| name(code) == close)))
}
