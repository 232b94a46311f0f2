//! One request to an HTTP server.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

/// Posts a short text, and waits until the server says that this is well.
pub(crate) fn post(address: &str, path: &str, text: &str) -> Result<(), String> {
    let length = text.len().to_string().into_bytes();
    let headers = Fields::from_list(&[("content-length".to_owned(), length)]).map_err(|error| error.to_string())?;
    let request = OutgoingRequest::new(headers);
    let place = format!("/{path}");
    let set = request.set_method(&Method::Post).is_ok()
        && request.set_scheme(Some(&Scheme::Http)).is_ok()
        && request.set_authority(Some(address)).is_ok()
        && request.set_path_with_query(Some(&place)).is_ok();
    if !set {
        return Err(format!("`{address}` is no address"));
    }
    let body = request.body().map_err(|()| "it has no body".to_owned())?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| error.to_string())?;
    {
        let stream = body.write().map_err(|()| "its body is closed".to_owned())?;
        stream.blocking_write_and_flush(text.as_bytes()).map_err(|error| error.to_string())?;
    }
    OutgoingBody::finish(body, None).map_err(|error| error.to_string())?;
    answer.subscribe().block();
    let response = answer.get().and_then(Result::ok).ok_or_else(|| "no answer".to_owned())?.map_err(|error| error.to_string())?;
    match response.status() {
        200..=299 => Ok(()),
        status => Err(format!("the server says {status}")),
    }
}
